"""The environment every git of ours runs in: nothing a worker could have planted is executed.

A linked worktree shares config, hooks and refs with the main checkout, so an agent can write
`core.hooksPath` or `core.fsmonitor` for the host's next git. Config given by environment outranks every
config file (https://git-scm.com/docs/git-config, GIT_CONFIG_COUNT).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

ConfigPairs = tuple[tuple[str, str], ...]
"""`(key, value)` pairs for one git call, over every config file."""

_HARDENED_CONFIG: ConfigPairs = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    ("core.quotePath", "false"),
    ("protocol.ext.allow", "never"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("push.gpgSign", "false"),
    ("push.followTags", "false"),
    ("push.recurseSubmodules", "no"),
    ("fetch.recurseSubmodules", "false"),
    ("submodule.recurse", "false"),
    # git status and git add would start git inside a submodule, with the config that lies there
    ("diff.ignoreSubmodules", "dirty"),
    # many of our gits run at once: a collection started by one is a lock the others meet
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    # git waits this many milliseconds for another git's ref locks; its defaults are 100 and 1000
    ("core.filesRefLockTimeout", "10000"),
    ("core.packedRefsTimeout", "10000"),
    # a dead HTTP connection ends after a minute under 1 byte/s instead of never
    ("http.lowSpeedLimit", "1"),
    ("http.lowSpeedTime", "60"),
    ("advice.detachedHead", "false"),
    ("advice.graftFileDeprecated", "false"),
)

_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_SEQUENCE_EDITOR": "true",
    "GIT_PAGER": "cat",
    # history is what the commits say: neither info/grafts nor a replace ref makes lost work look merged
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
    "LANGUAGE": "C",
}

_LOCATING = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""What `git rev-parse --local-env-vars` lists: set when we are started from a git hook or alias."""

_KEPT = frozenset(
    (
        "PATH",
        "HOME",
        "LANG",
        # where the user's own git config is, and whether the machine's counts
        "XDG_CONFIG_HOME",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_SYSTEM",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_ATTR_NOSYSTEM",
    )
)


def hardened_environment(config: ConfigPairs = ()) -> Mapping[str, str]:
    """Variables to lay over the process's own; `config` comes after ours and so wins.

    Pairs the user already gives through GIT_CONFIG_COUNT are kept: ours are numbered after them.
    """
    inherited = os.environ.get("GIT_CONFIG_COUNT", "0")
    return _numbered(int(inherited) if inherited.isdigit() else 0, (*_HARDENED_CONFIG, *config))


def secretless_environment(config: ConfigPairs = ()) -> Mapping[str, str]:
    """As `hardened_environment`, for use without what `inherited_secrets` names.

    Of the pairs that the user gives through GIT_CONFIG_COUNT those are kept that say how files are written;
    `http.extraHeader`, `credential` and `url` are not among them.
    """
    return _numbered(0, (*_inherited_pairs(), *_HARDENED_CONFIG, *config))


def inherited_secrets(own: Mapping[str, str]) -> tuple[str, ...]:
    """Names in the process's environment that a program started by git has no need of; any may hold a secret."""
    return tuple(name for name in os.environ if name and name not in _KEPT and name not in own)


def _inherited_pairs() -> ConfigPairs:
    count = os.environ.get("GIT_CONFIG_COUNT", "0")
    numbers = range(int(count) if count.isdigit() else 0)
    pairs = ((os.environ.get(f"GIT_CONFIG_KEY_{n}", ""), os.environ.get(f"GIT_CONFIG_VALUE_{n}", "")) for n in numbers)
    return tuple((key, value) for key, value in pairs if key.lower().startswith(("safe.", "core.", "filter.")))


def inherited_location(own: Mapping[str, str]) -> tuple[str, ...]:
    """Names in the process's environment that would send git to another repository than the one we mean."""
    return tuple(name for name in _LOCATING if name in os.environ and name not in own)


@lru_cache(maxsize=64)
def _numbered(first: int, pairs: ConfigPairs) -> Mapping[str, str]:
    variables = dict(_FIXED)
    for number, (key, value) in enumerate(pairs, first):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    variables["GIT_CONFIG_COUNT"] = str(first + len(pairs))
    return variables
