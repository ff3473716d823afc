"""The rescue refs of a repository: listed, read and dropped. Whoever can write in a worktree can write refs,
so nothing in them is believed beyond what it is used for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.rescue import MANIFEST
from parallel_workers.errors import UsageError
from parallel_workers.identity import RESCUE_REF_PREFIX
from parallel_workers.rescues import Rescue, SavedEntry, SavedFile, parse_time, short_name
from parallel_workers.worktree_contents import OwnRef, Stash, StoppedOperation

_SHOWN_NAMES = 3


class _Row(NamedTuple):
    """One line of the listing of refs."""

    ref: str
    commit: str
    parents: tuple[str, ...]
    committed_at: int


def list_rescues(opened: OpenedRepository) -> tuple[Rescue, ...]:
    """All, newest first; two processes."""
    layout = "--format=%(refname)%00%(objectname)%00%(parent)%00%(committerdate:unix)"
    listed = opened.git("for-each-ref", layout, RESCUE_REF_PREFIX)
    rows = [_row(line) for line in listed.split("\n") if line]
    manifests = _read_manifests(opened, [row.parents[-1] for row in rows if row.parents])
    found = [_as_rescue(row, manifests.get(row.parents[-1]) if row.parents else None) for row in rows]
    return tuple(sorted(found, key=lambda rescue: rescue.saved_at, reverse=True))


def find_rescue(opened: OpenedRepository, wanted: str) -> Rescue:
    """The one called `wanted`: its name, its full ref, or the beginning of it when only one begins so.

    Raises:
        UsageError: there is none, or several begin so.
    """
    name, known = short_name(wanted), list_rescues(opened)
    exact = [rescue for rescue in known if rescue.name == name]
    found = exact or [rescue for rescue in known if rescue.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"no rescue is called {name!r}; see: parallel-workers rescue list --repository {opened.path}")
    shown = ", ".join(rescue.name for rescue in found[:_SHOWN_NAMES])
    raise UsageError(f"{len(found)} rescues begin with {name!r}: {shown}{' …' if len(found) > _SHOWN_NAMES else ''}")


def drop_rescues(opened: OpenedRepository, rescues: Iterable[Rescue]) -> None:
    """Delete these refs, all or none, and only while they are where they were seen.

    Raises:
        GitCommandError: one of them was moved meanwhile.
    """
    lines = [f"delete {rescue.ref} {rescue.commit}\n" for rescue in rescues]
    if lines:
        opened.git("update-ref", "--stdin", stdin="".join(lines))


def _row(line: str) -> _Row:
    ref, commit, parents, committed_at = line.split("\0")
    return _Row(ref, commit, tuple(parents.split()), int(committed_at or 0))


def _read_manifests(opened: OpenedRepository, commits: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The manifest in each of these commits; one that has none, or no readable one, is not in the answer."""
    if not commits:
        return {}
    asked = "".join(f"{commit}:{MANIFEST}\n" for commit in commits)
    answer = f"{opened.git('cat-file', '--batch', stdin=asked)}\n".encode("utf-8", "surrogateescape")
    found: dict[str, Mapping[str, Any]] = {}
    for commit in commits:
        header, _, answer = answer.partition(b"\n")
        if header.endswith(b"missing"):
            continue
        size = int(header.rpartition(b" ")[2])
        text, answer = answer[:size], answer[size + 1 :]
        try:
            manifest = json.loads(text)
        except ValueError:
            continue
        if isinstance(manifest, dict):
            found[commit] = manifest
    return found


def _as_rescue(row: _Row, manifest: Mapping[str, Any] | None) -> Rescue:
    name = short_name(row.ref)
    saved_at = parse_time(name) or datetime.fromtimestamp(row.committed_at, UTC)
    head = row.parents[0] if row.parents else ""
    plain = Rescue(name, row.commit, saved_at, None, None, "", head, ("uncommitted files",))
    if manifest is None:
        return plain  # made before there were manifests: HEAD, and the files on top of it
    try:
        return plain._replace(
            worker=manifest["worker"],
            branch=manifest["branch"],
            worktree=str(manifest["worktree"]),
            head_sha=str(manifest["head_sha"]),
            what=tuple(map(str, manifest["what"])),
            files=tuple(SavedFile(*map(str, file)) for file in manifest["files"]),
            entries=tuple(SavedEntry(str(p), str(m), str(s), int(n)) for p, m, s, n in manifest["entries"]),
            stashes=tuple(Stash(*map(str, stash)) for stash in manifest.get("stashes", ())),
            operation=StoppedOperation(**manifest["operation"]) if manifest.get("operation") else None,
            own_refs=tuple(OwnRef(*map(str, ref)) for ref in manifest.get("own_refs", ())),
            sparse=tuple(map(str, manifest.get("sparse", ()))),
        )
    except (KeyError, TypeError, ValueError):
        return plain
