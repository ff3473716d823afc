"""Saves what a worktree holds beyond its branch under a ref of its own, before anything is removed.

The ref's commit stands on HEAD and has the files as they lay there, so that plain git shows them. Its last parent
holds the rest: a manifest, every blob by name, the files of a stopped operation, and as parents the commits and
stashes that nothing else may keep. Format: docs/rescue.md.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from loguru import logger

from parallel_workers.adapters.git.file_states import GITLINK, GONE
from parallel_workers.adapters.git.inspection import Inspection
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.own_refs import peel_commits
from parallel_workers.adapters.git.raw_files import DURABLE, read_modes, store_files, store_texts
from parallel_workers.adapters.git.stopped_operations import state_files
from parallel_workers.crash_points import reach
from parallel_workers.identity import RESCUE_REF_PREFIX
from parallel_workers.rescues import SavedEntry, SavedFile, rescue_name, rescue_ref

MANIFEST = "manifest.json"
OPERATION = "operation/"
_BLOBS = "blobs/"
_VERSION = 1
_SHA = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
# nothing but the content counts: saving the same again makes the same commit
_NO_TIME = {"GIT_AUTHOR_DATE": "@0 +0000", "GIT_COMMITTER_DATE": "@0 +0000"}
_NO_NAME_RULES = ("-c", "core.protectHFS=false", "-c", "core.protectNTFS=false")
_REF_ATTEMPTS = 3
_SHA1_LENGTH = 40
_OURS = 2


class _Draft(NamedTuple):
    """A rescue before it is a commit. `state` are raw files of a stopped operation, by name."""

    owner: str
    manifest: Mapping[str, object]
    head_sha: str
    files: tuple[SavedFile, ...] = ()
    entries: tuple[SavedEntry, ...] = ()
    state: Mapping[str, bytes] = {}
    kept: tuple[str, ...] = ()


def save_work(opened: OpenedRepository, found: Inspection, what: tuple[str, ...]) -> str:
    """Save all that was found; the rescue ref. Neither the worktree nor its index is written to.

    The ref that an earlier attempt made of the same content is answered again.

    Raises:
        GitCommandError: something could not be saved, or not be found again; then nothing may be removed.
    """
    contents, admin = found.contents, found.location.git_dir
    linked = found.location.linked
    state = {str(file.relative_to(admin)): file.read_bytes() for file in state_files(admin)}
    kept = [stash.sha for stash in contents.stashes]
    if contents.loose_commit not in {"", contents.head_sha}:
        kept.append(contents.loose_commit)
    kept += [ref.sha for ref in contents.left_behind]
    manifest = {
        "worker": contents.worker,
        "branch": contents.branch or (contents.operation.branch if contents.operation else None),
        "worktree": str(contents.path),
        "what": what,
        "stashes": contents.stashes,
        "own_refs": (*contents.own_refs, *contents.left_behind),
        "operation": contents.operation._asdict() if contents.operation else None,
        "sparse": linked.paths if linked else (),
    }
    draft = _Draft(
        owner=contents.worker or contents.branch or contents.path.name,
        manifest=manifest,
        head_sha=contents.head_sha,
        files=_store_worktree(opened, found),
        entries=tuple(SavedEntry(*entry) for entry in (*found.states.staged, *found.states.conflicts)),
        state=state,
        kept=tuple(dict.fromkeys((*kept, *_commits_named(opened, state.values(), contents.head_sha)))),
    )
    reach("rescue.files-stored")
    return _write(opened, draft, contents.path.name)


def save_commits(opened: OpenedRepository, worker: str, branch: str, head_sha: str) -> str:
    """Save the commits of a branch that is about to be deleted; the rescue ref. Raises as `save_work`."""
    manifest = {"worker": worker, "branch": branch, "worktree": "", "what": (f"commits of {branch}",)}
    return _write(opened, _Draft(worker, manifest, head_sha), branch)


def _store_worktree(opened: OpenedRepository, found: Inspection) -> tuple[SavedFile, ...]:
    contents, folder = found.contents, found.location.path
    kinds = {
        # as it lies there: a filter may have made other bytes of what is staged
        **({} if contents.folder_gone else dict.fromkeys(contents.staged, "staged")),
        **dict.fromkeys(contents.unstaged, "changed"),
        **({} if contents.folder_gone else dict.fromkeys(contents.conflicted, "conflicted")),
        **dict.fromkeys(contents.untracked, "untracked"),
        **dict.fromkeys(contents.kept_ignored, "ignored"),
    }
    modes = read_modes(folder, kinds)
    blobs = store_files(opened, folder, modes)
    return tuple(SavedFile(kind, name, modes[name], blobs.get(name, "")) for name, kind in kinds.items())


def _commits_named(opened: OpenedRepository, texts: Iterable[bytes], head_sha: str) -> tuple[str, ...]:
    """The commits that the files of an operation name: heads before a rebase, what is merged or picked, autostash."""
    named = dict.fromkeys(match.decode() for text in texts for match in _SHA.findall(text))
    return tuple(sha for sha in peel_commits(opened, named).values() if sha != head_sha)


def _write(opened: OpenedRepository, draft: _Draft, title: str) -> str:
    with tempfile.TemporaryDirectory(prefix="parallel-workers-") as scratch:
        tree = _write_tree(opened, Path(scratch) / "files", draft.head_sha, _shown_entries(draft))
        state = _write_state(opened, Path(scratch) / "state", draft)
    head = ("-p", draft.head_sha) if draft.head_sha else ()
    existing = _find_same(opened, draft, tree, state)
    if existing is not None:
        return existing
    message = f"rescue: {title}\n\nSaved before it was removed. See it with: parallel-workers rescue list\n"
    commit = opened.git(*DURABLE, "commit-tree", *head, "-p", state, "-F", "-", tree, stdin=message)
    # a collection of garbage may have run meanwhile: what the ref will promise is there
    opened.git("rev-list", "--objects", "--quiet", commit, *(["--not", draft.head_sha] if draft.head_sha else []))
    reach("rescue.commit-made")
    ref = _create_ref(opened, draft.owner, commit)
    reach("rescue.ref-written")
    return ref


def _create_ref(opened: OpenedRepository, owner: str, commit: str) -> str:
    for attempt in range(_REF_ATTEMPTS):
        ref = rescue_ref(owner, datetime.now(UTC))
        output = opened.ask(*DURABLE, "update-ref", ref, commit, "")
        if output.code == 0:
            return ref
        logger.debug("attempt {}: {} was not made: {}", attempt + 1, ref, output.stderr)
    ref = rescue_ref(owner, datetime.now(UTC))
    opened.git(*DURABLE, "update-ref", ref, commit, "")
    return ref


def _find_same(opened: OpenedRepository, draft: _Draft, tree: str, state: str) -> str | None:
    """The ref that holds exactly this already: whoever saved it was killed before it could remove."""
    folder = f"{RESCUE_REF_PREFIX}{rescue_name(draft.owner, datetime.now(UTC)).rpartition('/')[0]}/"
    listed = opened.git("for-each-ref", "--format=%(refname) %(tree) %(parent)", folder)
    parents = " ".join(filter(None, (draft.head_sha, state)))
    return next((line.split(" ")[0] for line in listed.split("\n") if line.endswith(f" {tree} {parents}")), None)


def _shown_entries(draft: _Draft) -> list[tuple[str, str, str]]:
    """The files as they lay in the worktree, over HEAD: mode, blob and path, what is gone first."""
    entries = {entry.path: (entry.mode, entry.sha) for entry in draft.entries if entry.stage == 0}
    entries |= {entry.path: (entry.mode, entry.sha) for entry in draft.entries if entry.stage == _OURS}
    entries |= {file.path: (file.mode, file.sha) for file in draft.files}
    # git refuses such a name in a tree; the file is among the blobs all the same
    shown = [(mode, sha, path) for path, (mode, sha) in entries.items() if ".git" not in path.lower().split("/")]
    return sorted(shown, key=lambda entry: entry[0] != GONE)


def _write_state(opened: OpenedRepository, index: Path, draft: _Draft) -> str:
    manifest = {
        "version": _VERSION,
        "head_sha": draft.head_sha,
        **draft.manifest,
        "files": draft.files,
        "entries": draft.entries,
    }
    texts = {f"{OPERATION}{name}": text for name, text in draft.state.items()}
    # ASCII: what is no UTF-8 in a name becomes an escape that json reads back
    texts[MANIFEST] = json.dumps(manifest, indent=1).encode("ascii")
    entries = [("100644", sha, name) for name, sha in store_texts(opened, texts).items()]
    blobs = {file.sha for file in draft.files} | {entry.sha for entry in draft.entries if entry.mode != GITLINK}
    entries += [("100644", sha, f"{_BLOBS}{sha}") for sha in sorted(blobs) if sha.strip("0")]
    tree = _write_tree(opened, index, "", entries)
    parents = [argument for sha in draft.kept for argument in ("-p", sha)]
    return opened.git(
        *DURABLE, "commit-tree", *parents, "-F", "-", tree, stdin="rescue: what belongs to it\n", env=_NO_TIME
    )


def _write_tree(opened: OpenedRepository, index: Path, start: str, entries: list[tuple[str, str, str]]) -> str:
    own = {"GIT_INDEX_FILE": str(index)}
    if start:
        opened.git("read-tree", start, env=own)
    length = len(start or next((sha for _, sha, _ in entries if sha), "")) or _SHA1_LENGTH
    lines = "".join(f"{mode} {sha or '0' * length}\t{path}\0" for mode, sha, path in entries)
    # a file may be where HEAD has a submodule or a folder, or the other way round
    opened.git(*_NO_NAME_RULES, "update-index", "--replace", "-z", "--index-info", stdin=lines, env=own)
    return opened.git(*DURABLE, *_NO_NAME_RULES, "write-tree", env=own)
