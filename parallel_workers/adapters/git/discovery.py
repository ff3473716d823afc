"""From any path to the repository it belongs to."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from parallel_workers.adapters.git.command import ask_git, run_git
from parallel_workers.adapters.git.hardened import ConfigPairs
from parallel_workers.adapters.git.opened import OpenedRepository, Remote
from parallel_workers.adapters.git.trusted_config import TrustedConfig
from parallel_workers.adapters.git.version import ensure_git_version
from parallel_workers.errors import UsageError

NEUTRAL_NAME = "parallel-workers"
NEUTRAL_EMAIL = "parallel-workers@localhost"

Config = Mapping[str, Sequence[str]]
"""Key (section and name in lower case, as git prints it) to all its values, last one wins."""


def discover(path: Path) -> OpenedRepository:
    """The repository that `path` is in: a clone or a folder of it, a bare repository, a linked worktree.

    Raises:
        UsageError: there is none, or it has several remotes and none of them is `origin`; or git is too old.
    """
    ensure_git_version()
    if not path.is_dir():
        raise UsageError(f"{path} is no folder, so no git repository can be there")
    asked = ask_git(path.resolve(), "rev-parse", "--path-format=absolute", "--git-common-dir", "--git-dir")
    if asked.code != 0:
        said = asked.stderr.strip().removeprefix("fatal: ")
        raise UsageError(f"{path} is not in a git repository ({said}); clone one, or make one with: git init")
    common_dir, git_dir = (Path(line).resolve() for line in asked.stdout.removesuffix("\n").split("\n"))
    if (common_dir / "reftable").is_dir():
        raise UsageError(
            f"{path} keeps its refs as reftable, which is not supported; git refs migrate --ref-format=files",
            mend=f"git -C {shlex.quote(str(path))} refs migrate --ref-format=files",
        )
    trusted = TrustedConfig(common_dir)
    config = parse_config(run_git(common_dir, "config", "--list", "-z", env={"GIT_DIR": str(common_dir)}))
    main = _main_path(common_dir, config) or (_separate_checkout(path, config) if git_dir == common_dir else None)
    return OpenedRepository(
        path=main or common_dir,
        common_dir=common_dir,
        bare=main is None,
        remote=choose_remote(config, main or common_dir),
        identity_config=committer_config(config),
        trusted_config=trusted,
    )


def parse_config(listing: str) -> Config:
    """`git config --list -z` as a mapping; a key without `=` is true."""
    config: defaultdict[str, list[str]] = defaultdict(list)
    for entry in filter(None, listing.split("\0")):
        key, separator, value = entry.partition("\n")
        config[key].append(value if separator else "true")
    return config


def choose_remote(config: Config, path: Path) -> Remote | None:
    """`origin`, or the only remote there is.

    Raises:
        UsageError: there are several and none is `origin`.
    """
    urls = {
        match[1]: values[-1] for key, values in config.items() if (match := re.fullmatch(r"remote\.(.+)\.url", key))
    }
    if "origin" not in urls and len(urls) > 1:
        names = ", ".join(sorted(urls))
        raise UsageError(
            f"{path} has the remotes {names} and none is origin; rename yours: git remote rename X origin",
            mend=f"git -C {shlex.quote(str(path))} remote rename {shlex.quote(min(urls))} origin",
        )
    name = "origin" if "origin" in urls else next(iter(urls), None)
    return None if name is None else Remote(name, urls[name])


def committer_config(config: Config) -> ConfigPairs:
    """The user's name and e-mail as they are now, a neutral one in place of what is not configured."""
    name = config.get("user.name", ("",))[-1] or NEUTRAL_NAME
    email = config.get("user.email", ("",))[-1] or NEUTRAL_EMAIL
    return (("user.name", name), ("user.email", email))


def _main_path(common_dir: Path, config: Config) -> Path | None:
    """The main checkout, or None in a bare repository."""
    # in a submodule the git directory lies in its superproject and names its checkout
    if named := config.get("core.worktree"):
        return (common_dir / named[-1]).resolve()
    if config.get("core.bare", ("false",))[-1] == "true":
        return None
    return common_dir.parent if common_dir.name == ".git" else None


def _separate_checkout(path: Path, config: Config) -> Path | None:
    """The main checkout around `path` when its git directory lies elsewhere (`git init --separate-git-dir`)."""
    if config.get("core.bare", ("false",))[-1] == "true":
        return None
    asked = ask_git(path.resolve(), "rev-parse", "--show-toplevel")
    return Path(asked.stdout.removesuffix("\n")).resolve() if asked.code == 0 else None
