"""Merging two commits without a checkout: by merge commit, squash or rebase."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, assert_never

from parallel_workers.adapters.git.merge_trees import MergedTree, merge_trees
from parallel_workers.adapters.local_forge.host import Host
from parallel_workers.adapters.local_forge.ledger import Ledger
from parallel_workers.adapters.local_forge.objects import (
    CommitDraft,
    GitObject,
    Ident,
    ParsedCommit,
    make_commit,
    make_pack,
)
from parallel_workers.adapters.local_forge.records import PullRecord, subject_line
from parallel_workers.pull_request_marker import without_marker
from parallel_workers.spec import MergeMethod


class MergeRequest(NamedTuple):
    """Bring `head` into `base` as pull request `number`."""

    number: int
    record: PullRecord
    base: str
    head: str


class MergeResult(NamedTuple):
    """The base's new commit and the objects still to be stored, or the paths in conflict.

    `sha` is the old base when the head adds nothing to it.
    """

    sha: str
    objects: tuple[GitObject, ...] = ()
    conflicts: tuple[str, ...] = ()


def find_missing(host: Host, head: str, shas: Iterable[str]) -> frozenset[str]:
    """Which of the commits are not in the history of `head`; one process."""
    asked = "".join(f"{sha}\n" for sha in shas) + f"^{head}\n"
    return frozenset(host.git("rev-list", "--stdin", stdin=asked).split())


class Merger:
    """Makes the commits of a merge; moves no ref."""

    def __init__(self, host: Host, ledger: Ledger) -> None:
        self._host = host
        self._ledger = ledger

    def merge(self, request: MergeRequest, method: MergeMethod) -> MergeResult:
        """The commits that bring the head into the base by this method."""
        if method is MergeMethod.REBASE:
            return self._rebase(request)
        wanted = ((request.base, request.head), (request.base, request.base))
        merged, unchanged = merge_trees(self._host, wanted)
        if merged.conflicts:
            return MergeResult(request.base, conflicts=merged.conflicts)
        if merged.tree == unchanged.tree:
            return MergeResult(request.base)
        match method:
            case MergeMethod.MERGE:
                commit = self._merge_commit(request, merged.tree)
            case MergeMethod.SQUASH:
                commit = self._squash_commit(request, merged.tree)
            case _:
                assert_never(method)
        return MergeResult(commit.sha, (commit,))

    def update(self, request: MergeRequest) -> MergeResult:
        """The merge commit that brings the base into the head; `sha` is the head when it has the base already."""
        if request.base not in find_missing(self._host, request.head, [request.base]):
            return MergeResult(request.head)
        (merged,) = merge_trees(self._host, [(request.head, request.base)])
        if merged.conflicts:
            return MergeResult(request.head, conflicts=merged.conflicts)
        committer, record = self._ledger.ident(), request.record
        message = f"Merge branch '{record.base_branch}' into {record.head_branch}\n"
        draft = CommitDraft(merged.tree, (request.head, request.base), committer, committer, message)
        commit = make_commit(draft)
        return MergeResult(commit.sha, (commit,))

    def _merge_commit(self, request: MergeRequest, tree: str) -> GitObject:
        committer = self._ledger.ident()
        subject = f"Merge pull request #{request.number}: {subject_line(request.record.title)}"
        message = _message(subject, "", _worker_trailer(request))
        return make_commit(CommitDraft(tree, (request.base, request.head), committer, committer, message))

    def _squash_commit(self, request: MergeRequest, tree: str) -> GitObject:
        commits = self._commits(request)
        author = commits[-1].author if commits else self._ledger.ident()
        others = {commit.author.person: None for commit in commits if commit.author.person != author.person}
        trailers = (*_worker_trailer(request), *(f"Co-authored-by: {person}" for person in others))
        subject = f"{subject_line(request.record.title)} (#{request.number})"
        message = _message(subject, without_marker(request.record.body), trailers)
        return make_commit(CommitDraft(tree, (request.base,), author, self._ledger.ident(), message))

    def _rebase(self, request: MergeRequest) -> MergeResult:
        commits = self._commits(request)
        if _is_straight(request.base, commits):
            return MergeResult(request.head)
        tip, objects = request.base, []
        committer = self._ledger.ident()
        (tip_tree,) = (tree for tree, _ in merge_trees(self._host, [(tip, tip)]))
        for commit in commits:
            if len(commit.parents) > 1:
                continue
            merged = self._replay(commit, tip_tree, committer)
            if merged.conflicts:
                return MergeResult(request.base, conflicts=merged.conflicts)
            if merged.tree == tip_tree:
                continue
            tip_tree = merged.tree
            draft = CommitDraft(tip_tree, (tip,), commit.author, committer, commit.message, commit.encoding)
            objects.append(make_commit(draft))
            tip = objects[-1].sha
        return MergeResult(tip, tuple(objects))

    def _replay(self, commit: ParsedCommit, onto: str, committer: Ident) -> MergedTree:
        """What a commit changes, applied to the tree `onto`.

        merge-tree takes its merge base from history (`--merge-base` came with git 2.40), so `onto` is given
        a commit whose parent is the parent of the one replayed.
        """
        stand_in = make_commit(CommitDraft(onto, commit.parents, committer, committer, "stand-in for a merge\n"))
        self._host.git("unpack-objects", "-q", stdin=make_pack([stand_in]))
        (merged,) = merge_trees(self._host, [(stand_in.sha, commit.sha)])
        return merged

    def _commits(self, request: MergeRequest) -> tuple[ParsedCommit, ...]:
        """Commits of the head that the base lacks, oldest first."""
        listed = self._host.git("rev-list", "--reverse", "--topo-order", f"{request.base}..{request.head}")
        return self._ledger.read_commits(listed.split()) if listed else ()


def _is_straight(base: str, commits: tuple[ParsedCommit, ...]) -> bool:
    """Whether the commits stand in one line on the base, so that the base can simply move forward."""
    expected = base
    for commit in commits:
        if commit.parents != (expected,):
            return False
        expected = commit.sha
    return bool(commits)


def _worker_trailer(request: MergeRequest) -> tuple[str, ...]:
    return (f"Worker: {request.record.worker}",) if request.record.worker else ()


def _message(subject: str, body: str, trailers: tuple[str, ...]) -> str:
    return "\n\n".join(part for part in (subject, body, "\n".join(trailers)) if part) + "\n"
