"""Submodules of a worktree: their repositories lie in the worktree's record, and are deleted along with it.

git keeps one in `modules/<name>` below the git directory of its superproject, also while it is checked out nowhere:
after `git submodule deinit`, on a branch without it, and when the worktree's folder is gone.
"""

from __future__ import annotations

import os
from pathlib import Path

from parallel_workers.adapters.git.command import GitOptions, GitOutput, ask_git
from parallel_workers.adapters.git.file_states import COMPARED_FULLY, FileStates, parse_file_states
from parallel_workers.adapters.git.own_repositories import find_repositories
from parallel_workers.adapters.git.stopped_operations import find_operation
from parallel_workers.errors import UnsavedWorkError


def find_modules(git_dir: Path) -> tuple[Path, ...]:
    """The repositories of all submodules below a git directory, submodules of submodules included.

    Raises:
        UnsavedWorkError: a folder cannot be read, so that nobody knows what it holds.
    """

    def refuse(error: OSError) -> None:
        if isinstance(error, FileNotFoundError):
            return
        raise UnsavedWorkError(
            f"{error.filename} cannot be read ({error.strerror}), so nothing is removed; "
            f"make it readable: chmod -R u+rwX '{error.filename}'"
        ) from error

    found = []
    for root, folders, files in os.walk(git_dir / "modules", onerror=refuse):
        # a name may have slashes: what is no repository leads to some
        if "HEAD" in files:
            found.append(Path(root))
            folders[:] = [name for name in folders if name == "modules"]
        folders.sort()
    return tuple(found)


def has_own_work(module: Path) -> bool:
    """Whether the repository of a submodule has what its remote's branches have not: a commit, or staged files.

    Commits that only a reflog keeps count: a submodule's HEAD is mostly detached, and an update leaves them behind.
    """
    asked = _ask(module, module, "rev-list", "--max-count=1", "--all", "--reflog", "--not", "--remotes")
    if asked.code != 0 or asked.stdout or find_operation(module) is not None:
        return True
    if not (module / "index").exists():
        return False
    return _ask(module, module, "diff", "--cached", "--quiet", "--ignore-submodules=all").code != 0


def is_kept_elsewhere(git_dir: Path, submodule: Path, keep_ignored: tuple[str, ...]) -> bool:
    """Whether nothing is in the folder of a submodule, and in submodules of it, that its remote has not.

    `git_dir` is the worktree's own; `keep_ignored` are patterns of ignored files that count. The worktree may have
    been moved, as git's own look at submodules does not bear.
    """
    module = find_module(git_dir, submodule)
    if module is None or has_own_work(module) or _is_hiding(module, submodule):
        return False
    states = _read_states(module, submodule)
    if states is None or any(states._replace(ignored=())) or _holds_ignored(module, submodule, keep_ignored):
        return False
    inner = find_repositories(submodule, states.ignored)
    return all(is_kept_elsewhere(git_dir, submodule / name, keep_ignored) for name in inner)


def find_module(git_dir: Path, submodule: Path) -> Path | None:
    """Where the repository of a folder is; None when it is not one of the worktree's submodules."""
    pointer = submodule / ".git"
    try:
        module = (submodule / pointer.read_text(encoding="utf-8").removeprefix("gitdir: ").rstrip("\n")).resolve()
    except (OSError, UnicodeDecodeError):
        return None
    return module if module.is_relative_to((git_dir / "modules").resolve()) else None


def _read_states(module: Path, submodule: Path) -> FileStates | None:
    listing = ("status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=all", "--ignored=matching")
    output = _ask(module, submodule, *COMPARED_FULLY, *listing, "--ignore-submodules=dirty")
    if output.code != 0 or "could not open directory" in output.stderr:
        return None
    return parse_file_states(output.stdout)


def _is_hiding(module: Path, submodule: Path) -> bool:
    """Whether git was told not to look at files that are there: they may have been changed."""
    output = _ask(module, submodule, "ls-files", "-z", "-v")
    tagged = (entry.partition(" ") for entry in output.stdout.split("\0") if entry)
    return output.code != 0 or any(
        tag.islower() or (tag == "S" and os.path.lexists(submodule / name)) for tag, _, name in tagged
    )


def _holds_ignored(module: Path, submodule: Path, patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return False
    wanted = (f"--exclude={pattern}" for pattern in patterns)
    output = _ask(module, submodule, "ls-files", "-z", "--others", "--ignored", *wanted)
    return output.code != 0 or bool(output.stdout)


def _ask(module: Path, folder: Path, *arguments: str) -> GitOutput:
    # with a folder given, git does not look for the one that the submodule's config names, which may be gone
    place = {"GIT_DIR": str(module), "GIT_WORK_TREE": str(folder), "GIT_OPTIONAL_LOCKS": "0"}
    return ask_git(folder, *arguments, options=GitOptions(place, secretless=True))
