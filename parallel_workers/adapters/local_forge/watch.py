"""What changed since the last look at the open pull requests: heads that moved, merges made with plain git."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from parallel_workers.adapters.git.content_in_base import Ahead, Landing, find_ahead, find_content, find_merge
from parallel_workers.adapters.local_forge.host import Host
from parallel_workers.adapters.local_forge.ledger import Look, PullChange
from parallel_workers.adapters.local_forge.records import PullRecord
from parallel_workers.adapters.local_forge.refs import RefStore
from parallel_workers.pull_requests import PullRequestState


class _Seen(NamedTuple):
    """The head and the base between which a pull request was last found not to be merged."""

    head: str
    base: str


class _Suspect(NamedTuple):
    """An open pull request that may have been merged or moved since. `start` is a base without it."""

    number: int
    recorded: str
    current: str
    start: str
    only_ours: bool


class LandingWatch:
    """Compares looks. What was found once is not looked for again while head and base stand still.

    A base that was moved by merges of our own, and by nothing else, is only checked for ancestry: with many
    pull requests open, each merge would otherwise cost a comparison with all the others.
    """

    def __init__(self, host: Host, store: RefStore) -> None:
        self._host = host
        self._store = store
        self._seen: dict[int, _Seen] = {}
        self._lock = threading.Lock()

    def find_changes(self, look: Look, numbers: Iterable[int]) -> tuple[PullChange, ...]:
        """Changes to write down for these pull requests; no process when neither heads nor bases moved."""
        by_base: dict[str, list[int]] = {}
        for number in numbers:
            if look.records[number].state is PullRequestState.OPEN:
                by_base.setdefault(look.records[number].base_branch, []).append(number)
        changes: list[PullChange] = []
        for branch, members in by_base.items():
            if branch in look.refs.branches:
                changes += self._compare(look, look.refs.branches[branch], members)
        return tuple(changes)

    def find_landing(self, base: str, head: str, start: str) -> Landing | None:
        """How `head` is in `base`, if it is; `start` is a base that did not have it, or ''."""
        self._store.bring([base, head])
        ahead = find_ahead(self._host, base, [head])
        if head not in ahead.parents:
            return find_merge(self._host, base, head)
        return find_content(self._host, base, [head], ahead, [start] if start else ()).get(head)

    def _compare(self, look: Look, base: str, numbers: list[int]) -> list[PullChange]:
        suspects = self._suspects(look, base, numbers)
        if not suspects:
            return []
        heads = [head for suspect in suspects for head in (suspect.current, suspect.recorded)]
        self._store.bring([base, *heads])
        ahead = find_ahead(self._host, base, heads)
        landings = self._landings(base, suspects, ahead)
        changes = []
        for suspect in suspects:
            refs, record = look.refs.pulls[suspect.number], look.records[suspect.number]
            if suspect.number in landings:
                head, landing = landings[suspect.number]
                changes.append(PullChange(suspect.number, _as_merged(record, landing), head, refs))
                continue
            with self._lock:
                self._seen[suspect.number] = _Seen(suspect.current, base)
            # a branch that was set back to the base has nothing to merge: the work is what was recorded
            if suspect.current != suspect.recorded and suspect.current in ahead.parents:
                changes.append(PullChange(suspect.number, record, suspect.current, refs))
        return changes

    def _suspects(self, look: Look, base: str, numbers: list[int]) -> list[_Suspect]:
        ours = _moved_by_us(look.records, base)
        suspects = []
        for number in numbers:
            record, recorded = look.records[number], look.refs.pulls[number].head
            current = look.refs.branches.get(record.head_branch, recorded)
            with self._lock:
                seen = self._seen.get(number, _Seen(recorded, record.base_sha))
            if seen != _Seen(current, base):
                only_ours = seen.head == current and seen.base in ours
                suspects.append(_Suspect(number, recorded, current, record.base_sha, only_ours))
        return suspects

    def _landings(self, base: str, suspects: list[_Suspect], ahead: Ahead) -> dict[int, tuple[str, Landing]]:
        landings: dict[int, tuple[str, Landing]] = {}
        unclear: dict[int, str] = {}
        for suspect in suspects:
            if suspect.current in ahead.parents:
                if not suspect.only_ours:
                    unclear[suspect.number] = suspect.current
            elif suspect.recorded not in ahead.parents:
                landings[suspect.number] = suspect.current, find_merge(self._host, base, suspect.current)
            else:
                # merged, or only set back to the base? the commits known before tell
                unclear[suspect.number] = suspect.recorded
        if unclear:
            starts = [suspect.start for suspect in suspects if suspect.start and suspect.number in unclear]
            content = find_content(self._host, base, list(dict.fromkeys(unclear.values())), ahead, starts)
            found = {number: (head, content[head]) for number, head in unclear.items() if head in content}
            landings.update(found)
        return landings


def _moved_by_us(records: Mapping[int, PullRecord], base: str) -> set[str]:
    """Commits from which the base came to `base` by our own merges alone, itself included."""
    steps = {record.merge_sha: record.merged_onto for record in records.values() if record.merged_onto}
    passed = {base}
    while base in steps and (base := steps[base] or "") not in passed:
        passed.add(base)
    return passed


def _as_merged(record: PullRecord, landing: Landing) -> PullRecord:
    reason = f"found in {record.base_branch} ({landing.how}, {landing.sha[:12]})"
    return record._replace(state=PullRequestState.MERGED, merge_sha=landing.sha, reason=reason)
