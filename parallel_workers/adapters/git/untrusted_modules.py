"""Whether git may be run in a submodule's repository, which an agent can write to as it likes.

Here nothing is known of how it was before, as it is for the shared config (trusted_config.py): what git's own clone
does not write is not trusted. What we override in each call (hardened.py), such as `core.hooksPath`, is let through.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from parallel_workers.adapters.git.trusted_config import attribute_lines, parse_settings, read_config
from parallel_workers.errors import GitCommandError
from parallel_workers.worktree_contents import UntrustedModule

# of a partial clone, too: nothing is fetched where we look
_WRITTEN_BY_CLONE = re.compile(
    r"""core\.worktree=.* | core\.bare=false | remote\..*\.promisor=true | extensions\.partialclone=.*
    | extensions\.(objectformat|compatobjectformat)=sha(1|256) | extensions\.refstorage=(files|reftable)
    | extensions\.(relativeworktrees|submodulepathconfig)=true""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def find_untrusted(module: Path) -> tuple[UntrustedModule, ...]:
    """The files in a submodule's repository for which git is not run there. They are read as mere text."""
    found = []
    # git would read the config of another folder instead; a submodule never has this file
    if os.path.lexists(module / "commondir"):
        found.append(UntrustedModule(str(module / "commondir")))
    for config in (module / "config", module / "config.worktree"):
        try:
            settings = parse_settings(read_config(config))
        except GitCommandError:
            found.append(UntrustedModule(str(config)))
            continue
        keys = {key for key, value in settings if not _WRITTEN_BY_CLONE.fullmatch(f"{key}={value}")}
        if keys:
            found.append(UntrustedModule(str(config), tuple(sorted(keys))))
    attributes = module / "info" / "attributes"
    if attribute_lines(read_config(attributes)):
        found.append(UntrustedModule(str(attributes)))
    return tuple(found)
