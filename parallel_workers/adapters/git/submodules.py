"""Submodules of a worktree: their repositories lie in the worktree's record, and are deleted along with it.

git keeps one in `modules/<name>` below the git directory of its superproject, also while it is checked out nowhere:
after `git submodule deinit`, on a branch without it, and when the worktree's folder is gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from parallel_workers.adapters.git.command import GitOptions, GitOutput, ask_git
from parallel_workers.adapters.git.file_states import COMPARED_FULLY, GITLINK, FileStates, parse_file_states
from parallel_workers.adapters.git.own_repositories import find_repositories
from parallel_workers.adapters.git.stopped_operations import find_operation
from parallel_workers.adapters.git.untrusted_modules import find_untrusted
from parallel_workers.decisions.removal import UNPUSHED
from parallel_workers.errors import UnsavedWorkError

_STAGED = ("--cached", "--quiet", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")


def find_modules(git_dir: Path) -> tuple[Path, ...]:
    """The repositories of all submodules below a git directory, submodules of submodules included.

    Raises:
        UnsavedWorkError: a folder cannot be read, so that nobody knows what it holds.
    """
    found = []
    for root, folders, files in os.walk(git_dir / "modules", onerror=_refuse_unreadable):
        # a name may have slashes: what is no repository leads to some
        if "HEAD" in files:
            found.append(Path(root))
            folders[:] = [name for name in folders if name == "modules"]
        folders.sort()
    return tuple(found)


def _refuse_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise UnsavedWorkError(
            f"{error.filename} cannot be read ({error.strerror}), so nothing is removed; "
            f"make it readable: chmod -R u+rwX '{error.filename}'"
        ) from error


def has_own_work(module: Path) -> bool:
    """Whether the repository of a submodule has what its remote's branches have not: a commit, or staged files.

    Commits that only a reflog keeps count: a submodule's HEAD is mostly detached, and an update leaves them behind.
    Those that only a tag keeps do not: a clone fetches all tags, of which some are on no branch of the remote.
    git is not asked where it would act on what lies there; then all of it counts.
    """
    if find_untrusted(module):
        return True
    asked = _ask(module, module, "rev-list", "--max-count=1", *UNPUSHED)
    if asked.code != 0 or asked.stdout or find_operation(module) is not None:
        return True
    if not (module / "index").exists():
        return False
    return _ask(module, module, "diff", *_STAGED).code != 0


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


def find_files_instead(worktree: Path, submodules: Iterable[str]) -> tuple[str, ...]:
    """Files that lie where `submodules` would be that are not checked out: git itself does not look there.

    Raises:
        UnsavedWorkError: a folder cannot be read, so that nobody knows what it holds.
    """
    found: list[str] = []
    for name in submodules:
        place = worktree / name
        # what is behind a link is not the worktree's; a file is seen by git
        if os.path.lexists(place / ".git") or place.resolve() != worktree.resolve() / name or not place.is_dir():
            continue
        for root, folders, files in os.walk(place, onerror=_refuse_unreadable):
            links = [each for each in folders if Path(root, each).is_symlink()]
            # repositories of their own are found elsewhere
            folders[:] = [each for each in folders if not os.path.lexists(Path(root, each, ".git"))]
            found += [str(Path(root, each).relative_to(worktree)) for each in (*links, *files)]
    return tuple(sorted(found))


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
    """Whether files are there that git does not look at: it was told not to, or a submodule would be in their place."""
    output = _ask(module, submodule, "ls-files", "-z", "-v", "--stage")
    if output.code != 0:
        return True
    inner = []
    for entry in filter(None, output.stdout.split("\0")):
        fields, _, name = entry.partition("\t")
        tag, mode, *_ = fields.split(" ")
        if tag.islower() or (tag == "S" and os.path.lexists(submodule / name)):
            return True
        if mode == GITLINK:
            inner.append(name)
    return bool(find_files_instead(submodule, inner))


def _holds_ignored(module: Path, submodule: Path, patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return False
    wanted = (f"--exclude={pattern}" for pattern in patterns)
    output = _ask(module, submodule, "ls-files", "-z", "--others", "--ignored", *wanted)
    return output.code != 0 or bool(output.stdout)


def _ask(module: Path, folder: Path, *arguments: str) -> GitOutput:
    # with a folder given, git does not look for the one that the submodule's config names, which may be gone
    place = {"GIT_DIR": str(module), "GIT_WORK_TREE": str(folder), "GIT_OPTIONAL_LOCKS": "0"}
    # nor does it fetch what a partial clone lacks, from wherever its config says
    place["GIT_ALLOW_PROTOCOL"] = "none"
    return ask_git(folder, *arguments, options=GitOptions(place, secretless=True))
