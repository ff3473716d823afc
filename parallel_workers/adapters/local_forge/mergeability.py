"""Whether heads merge into their bases: tried without a checkout, once for each pair of commits."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from parallel_workers.adapters.git.merge_trees import merge_trees
from parallel_workers.adapters.local_forge.host import Host
from parallel_workers.adapters.local_forge.ledger import Look
from parallel_workers.adapters.local_forge.refs import RefStore
from parallel_workers.pull_request_snapshots import Mergeable, PullRequestSnapshot
from parallel_workers.pull_requests import PullRequest, PullRequestState

_Pair = tuple[str, str]


class Mergeability:
    """Remembers what it tried, for as long as anybody asks for it. Safe for many threads."""

    def __init__(self, host: Host, store: RefStore) -> None:
        self._host = host
        self._store = store
        self._clean: dict[_Pair, bool] = {}
        self._lock = threading.Lock()

    def describe(self, look: Look, seen: Iterable[PullRequest]) -> dict[int, PullRequestSnapshot]:
        """Snapshots by number; one process for all pairs of base and head that were not tried before."""
        every = tuple(seen)
        pairs = {each.number: pair for each in every if (pair := _pair(look, each)) is not None}
        clean = self._try(pairs)
        return {each.number: _snapshot(look, each, clean.get(each.number)) for each in every}

    def _try(self, pairs: Mapping[int, _Pair]) -> dict[int, bool]:
        with self._lock:
            known = {pair: self._clean[pair] for pair in pairs.values() if pair in self._clean}
        unknown = sorted({*pairs.values()} - known.keys())
        if unknown:
            self._store.bring([sha for pair in unknown for sha in pair])
            merged = merge_trees(self._host, unknown)
            known.update({pair: not each.conflicts for pair, each in zip(unknown, merged, strict=True)})
        with self._lock:
            self._clean = known
        return {number: known[pair] for number, pair in pairs.items()}


def _pair(look: Look, pull_request: PullRequest) -> _Pair | None:
    base = look.refs.branches.get(pull_request.base_branch)
    if base is None or pull_request.state is not PullRequestState.OPEN:
        return None
    return base, pull_request.head_sha


def _snapshot(look: Look, pull_request: PullRequest, clean: bool | None) -> PullRequestSnapshot:  # noqa: FBT001 - one of two findings, or none
    base = look.refs.branches.get(pull_request.base_branch, "")
    gone = not base and pull_request.state is PullRequestState.OPEN
    return PullRequestSnapshot(
        pull_request,
        mergeable={True: Mergeable.YES, False: Mergeable.CONFLICTING, None: Mergeable.UNKNOWN}[clean],
        blocked_by=f"there is no branch {pull_request.base_branch} to merge into" if gone else "",
        base_sha=base,
    )
