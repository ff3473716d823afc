"""Every file of a worktree that is not as HEAD has it: what the index says, and what lies in the folder."""

from __future__ import annotations

from typing import NamedTuple

GONE = "000000"
"""The mode of what is not there: deleted from the index, or from the folder."""
GITLINK = "160000"
# how files are compared is not left to config that an agent could write
COMPARED_FULLY = (
    *("-c", "core.checkStat=default", "-c", "core.trustctime=true", "-c", "core.untrackedCache=false"),
    *("-c", "core.ignoreCase=false"),
)
"""Options of git for a look that trusts nothing."""
_CLEAN_SUBMODULE = ("N...", "S...")


class IndexEntry(NamedTuple):
    """What the index has for a path, where that is not what HEAD has. Stages 1 to 3 are those of a conflict."""

    path: str
    mode: str
    sha: str
    stage: int = 0


class FileStates(NamedTuple):
    """`git status --porcelain=v2 -z`, taken apart.

    `staged` differs between HEAD and index, `unstaged` are paths that differ between index and folder.
    `submodules` are paths of submodules with changes of their own.
    """

    staged: tuple[IndexEntry, ...] = ()
    conflicts: tuple[IndexEntry, ...] = ()
    unstaged: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()

    @property
    def conflicted(self) -> tuple[str, ...]:
        """Paths in conflict, each once."""
        return tuple(dict.fromkeys(entry.path for entry in self.conflicts))


def parse_file_states(text: str) -> FileStates:
    """Take the porcelain v2 format apart (git help status), made with -z and without renames."""
    staged: list[IndexEntry] = []
    conflicts: list[IndexEntry] = []
    paths: dict[str, list[str]] = {"unstaged": [], "?": [], "!": [], "submodules": []}
    for entry in filter(None, text.split("\0")):
        kind, _, rest = entry.partition(" ")
        if kind in {"?", "!"}:
            paths[kind].append(rest)
        elif kind == "1":
            state, submodule, _, index_mode, _, _, index_sha, path = rest.split(" ", 7)
            # a file that is only intended to be added has no content in the index
            if state[0] != ".":
                staged.append(IndexEntry(path, index_mode, index_sha))
            if submodule not in _CLEAN_SUBMODULE:
                paths["submodules"].append(path)
            elif state[1] != ".":
                paths["unstaged"].append(path)
        elif kind == "u":
            _, _, mode1, mode2, mode3, _, sha1, sha2, sha3, path = rest.split(" ", 9)
            stages = ((1, mode1, sha1), (2, mode2, sha2), (3, mode3, sha3))
            conflicts += [IndexEntry(path, mode, sha, stage) for stage, mode, sha in stages if mode != GONE]
    return FileStates(
        tuple(staged),
        tuple(conflicts),
        tuple(paths["unstaged"]),
        tuple(paths["?"]),
        tuple(paths["!"]),
        tuple(paths["submodules"]),
    )
