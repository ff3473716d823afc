"""The local forge: pull requests in the repository itself, no account needed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from parallel_workers.adapters.git.content_in_base import find_ahead
from parallel_workers.adapters.local_forge.checkout import CheckoutBusyError, brought_along
from parallel_workers.adapters.local_forge.drafts import as_pull_request, draft_record, find_number
from parallel_workers.adapters.local_forge.host import Host, WriterLocks, find_host
from parallel_workers.adapters.local_forge.ledger import NOTHING_MORE, Ledger, Look, MoreWrites, PullChange
from parallel_workers.adapters.local_forge.mergeability import Mergeability
from parallel_workers.adapters.local_forge.merging import Merger, MergeRequest, MergeResult, find_missing
from parallel_workers.adapters.local_forge.records import PullRecord
from parallel_workers.adapters.local_forge.refs import (
    BRANCH_REF_PREFIX,
    CheckedOutError,
    LocalRefStore,
    LostRaceError,
    MissingCommitError,
    RefStore,
    RefUpdate,
    RemoteRefStore,
)
from parallel_workers.adapters.local_forge.report import Pages
from parallel_workers.adapters.local_forge.watch import LandingWatch
from parallel_workers.crash_points import reach
from parallel_workers.errors import ForgeError, GitCommandError
from parallel_workers.plain_text import clean_text
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Check, PullRequestSnapshot
from parallel_workers.pull_requests import (
    MergeAttempt,
    MergeOutcome,
    PullRequest,
    PullRequestDraft,
    PullRequestState,
)
from parallel_workers.spec import MergeMethod

_RACES_BORNE = 20

_T = TypeVar("_T")


def open_local_forge(repository: Path) -> LocalForge:
    """The forge of a repository: the one its remote points to, or its own (see `find_host`).

    It remembers what it read, so one object for each repository and process is the quick way.

    Raises:
        ForgeError: there is no usable repository.
    """
    host = find_host(repository)
    store = RemoteRefStore(host, host.remote_url) if host.remote_url else LocalRefStore(host)
    return LocalForge(host, store)


class LocalForge:
    """Pull requests kept as refs and commits; implements `ports.Forge`. Safe for many threads and processes."""

    def __init__(self, host: Host, store: RefStore) -> None:
        self._host = host
        self._store = store
        self._ledger = Ledger(host, store)
        self._merger = Merger(host, self._ledger)
        self._watch = LandingWatch(host, store)
        self._mergeability = Mergeability(host, store)
        self._pages = Pages(host)
        self._locks = WriterLocks(host.git_dir)

    @property
    def place(self) -> str:
        """The repository that holds the pull requests: its path, or its URL without credentials."""
        return self._host.place

    def ensure_pull_request(self, draft: PullRequestDraft) -> PullRequest:
        """See ports.Forge. A pull request that a person closed does not stand in the way of a new one.

        Raises:
            ForgeError: the base branch or the head commit is not there.
        """
        with self._locks.held("open"):
            return self._until_settled(lambda: self._ensure(draft))

    def fetch_pull_request(self, number: int) -> PullRequest:
        """See ports.Forge; notices a merge made with plain git, like `fetch_pull_requests`."""
        look = self._until_settled(lambda: self._look_at((number,)))
        if not self._pages.path(number).exists():
            self._pages.write(number, look.records[number], look.refs.pulls[number].head)
        return self._answer(look, number)

    def fetch_pull_requests(self, *, include_ended: bool = False) -> tuple[PullRequest, ...]:
        """See ports.Forge; by number. One process when nothing moved since the last look."""
        look = self._until_settled(lambda: self._look_at(None))
        wanted = (n for n in look.records if include_ended or look.records[n].state is PullRequestState.OPEN)
        return tuple(self._answer(look, number) for number in wanted)

    def find_pull_requests(self, worker: str, head_branch: str) -> tuple[PullRequest, ...]:
        """See ports.Forge. One process when nothing moved since the last look."""
        found = self.fetch_pull_requests(include_ended=True)
        return tuple(one for one in found if one.worker == worker and one.head_branch == head_branch)

    def look(self, numbers: Collection[int], *, at_once: bool = False) -> Mapping[int, PullRequestSnapshot]:  # noqa: ARG002 - it always does
        """See ports.Forge. One process when nothing moved since the last look."""
        look = self._until_settled(lambda: self._look_at(frozenset(numbers), unknown_too=True))
        known = (number for number in look.records if number in numbers)
        return self._mergeability.describe(look, (self._answer(look, number) for number in known))

    def waits_for_forge(self) -> str:
        """See ports.Forge: it has no limit to wait for."""
        return ""

    def hindrance(self) -> str:
        """See ports.Forge: it is always asked in full."""
        return ""

    def enable_auto_merge(self, number: int, method: MergeMethod, head_sha: str) -> str:  # noqa: ARG002 - the port's
        """See ports.Forge: nothing runs here that could merge later."""
        return "the local forge does not merge by itself"

    def disable_auto_merge(self, number: int) -> str:  # noqa: ARG002 - the port's
        """See ports.Forge: it is never on."""
        return ""

    def fetch_check_log(self, check: Check, max_chars: int) -> str:  # noqa: ARG002 - the port's
        """See ports.Forge: there are no checks here."""
        return ""

    def update_branch(self, number: int, head_sha: str) -> str:
        """See ports.Forge. Checkouts of the branch are brought along."""
        with self._locks.held("merge"):
            return self._until_settled(lambda: self._update(number, head_sha))

    def ask_for_human(self, number: int, text: str) -> None:
        """See ports.Forge: the label, and the text as the reason that `pr show` tells."""
        self._until_settled(lambda: self._label(number, clean_text(text)))

    def hand_back(self, number: int) -> PullRequest:
        """Take off what `ask_for_human` put on: the worker goes on. Harmless when it is not there."""
        return self._until_settled(lambda: self._label(number, ""))

    def merge_pull_request(self, number: int, method: MergeMethod, head_sha: str | None = None) -> MergeAttempt:
        """See ports.Forge. It merges `head_sha`, or the head that was seen last: WAIT when the branch has moved since.

        Raises:
            ForgeError: there is no such pull request, or its base branch is gone.
        """
        with self._locks.held("merge"):
            return self._until_settled(lambda: self._merge(number, method, head_sha))

    def close_pull_request(self, number: int, reason: str = "") -> PullRequest:
        """See ports.Forge. One that has ended already is answered as it is."""
        return self._until_settled(lambda: self._close(number, clean_text(reason)))

    def is_content_in_base(self, pull_request: PullRequest) -> bool:
        """See ports.Forge. True as well when the base contained it and changed or reverted it later."""
        look = self._ledger.read()
        base = look.refs.branches.get(pull_request.base_branch)
        record, start = look.records.get(pull_request.number), ""
        if base is None:
            return record is not None and record.state is PullRequestState.MERGED
        if record and look.refs.pulls[pull_request.number].head == pull_request.head_sha:
            start = record.base_sha
            if record.merge_sha and not self._is_lacking(base, record.merge_sha):
                return True
        return self._watch.find_landing(base, pull_request.head_sha, start) is not None

    def read_changes(self, number: int) -> str:
        """The commits of a pull request with a diff stat each, as `git log` prints them; also after it was merged.

        Raises:
            ForgeError: there is no such pull request.
        """
        look = self._ledger.read()
        record = _record(look, number)
        return self._pages.read_changes(record.base_sha, look.refs.pulls[number].head) if record.base_sha else ""

    def _ensure(self, draft: PullRequestDraft) -> PullRequest:
        look = self._ledger.read()
        number = find_number(look, draft)
        if number is not None and look.records[number].state is PullRequestState.MERGED:
            return self._answer(look, number)
        former = look.records[number] if number is not None else None
        # a base that somebody changed stays: what becomes of it is decided by the rules
        base = self._base(look, former.base_branch if former else draft.base_branch)
        self._store.bring([base, draft.head_sha])
        try:
            changes = self._pages.read_changes(base, draft.head_sha)
        except GitCommandError as error:
            if "bad object" in error.stderr or "nvalid revision range" in error.stderr:
                raise MissingCommitError(self.place, [draft.head_sha]) from error
            raise
        record = draft_record(draft, former, base if changes else "", self._ledger.now())
        moved = number is not None and look.refs.pulls[number].head != draft.head_sha
        if former and changes and moved and not find_missing(self._host, draft.head_sha, [base]):
            record = record._replace(base_sha=base)
        chosen = number if number is not None else max(look.refs.pulls, default=0) + 1
        change = PullChange(chosen, record, draft.head_sha, look.refs.pulls.get(chosen))
        written = self._written(change, f"pull request #{chosen} {'updated' if former else 'opened'}")
        reach("forge.opened")
        return written

    def _look_at(self, numbers: Collection[int] | None, *, unknown_too: bool = False) -> Look:
        look = self._ledger.read()
        for number in () if unknown_too else numbers or ():
            _record(look, number)
        wanted = look.records if numbers is None else [number for number in look.records if number in numbers]
        changes = self._watch.find_changes(look, wanted)
        if not changes:
            return look
        self._ledger.write(changes, "seen in the repository")
        for change in changes:
            self._pages.write(change.number, change.record, change.head)
        return self._ledger.read()

    def _merge(self, number: int, method: MergeMethod, head_sha: str | None) -> MergeAttempt:
        look = self._ledger.read()
        branch, recorded = _record(look, number).head_branch, look.refs.pulls[number].head
        judged = head_sha or recorded
        if look.refs.branches.get(branch, recorded) != recorded:
            look = self._look_at((number,))
        record, refs = look.records[number], look.refs.pulls[number]
        pull_request = self._answer(look, number)
        if record.state is not PullRequestState.OPEN:
            return MergeAttempt(_ENDED[record.state], record.reason or f"it is {record.state.value}", pull_request)
        if refs.head != judged:
            reason = f"{record.head_branch} moved from {judged[:12]} to {refs.head[:12]} since it was looked at"
            return MergeAttempt(MergeOutcome.WAIT, reason, pull_request)
        base = self._base(look, record.base_branch)
        self._store.bring([base, refs.head])
        result = self._merger.merge(MergeRequest(number, record, base, refs.head), method)
        if result.conflicts:
            reason = f"conflicts with {record.base_branch} in {', '.join(result.conflicts)}"
            return MergeAttempt(MergeOutcome.CONFLICT, reason, pull_request, result.conflicts)
        try:
            return self._land(look, number, result, method)
        except CheckoutBusyError as busy:
            return MergeAttempt(MergeOutcome.WAIT, str(busy), pull_request, busy.files)
        except CheckedOutError as refused:
            return MergeAttempt(MergeOutcome.WAIT, f"{self.place}: {refused}", pull_request)

    def _land(self, look: Look, number: int, result: MergeResult, method: MergeMethod) -> MergeAttempt:
        """Move the base and the pull request together."""
        record, refs = look.records[number], look.refs.pulls[number]
        branch, base = record.base_branch, look.refs.branches[record.base_branch]
        if result.sha == base:
            landing = self._watch.find_landing(base, refs.head, record.base_sha)
            merge_sha = landing.sha if landing else base
            reason, more = f"its content is in {branch} already", NOTHING_MORE
            record = record._replace(merge_sha=merge_sha)
        else:
            reason = f"merged into {branch} by {_METHOD_WORDS[method]}"
            record = record._replace(merge_sha=result.sha, merged_onto=base)
            more = MoreWrites(result.objects, (RefUpdate(f"{BRANCH_REF_PREFIX}{branch}", result.sha, base),))
            if branch in look.refs.checkouts:
                more = more._replace(around=brought_along(self._host, branch, base, result.sha))
        record = record._replace(state=PullRequestState.MERGED, reason=reason)
        reach("merge.made")
        pull_request = self._written(PullChange(number, record, refs.head, refs), f"merge pull request #{number}", more)
        reach("merge.landed")
        return MergeAttempt(MergeOutcome.MERGED, reason, pull_request)

    def _update(self, number: int, head_sha: str) -> str:
        look = self._look_at((number,))
        record, refs = look.records[number], look.refs.pulls[number]
        if record.state is not PullRequestState.OPEN:
            return f"it is {record.state.value}"
        if refs.head != head_sha or look.refs.branches.get(record.head_branch) != head_sha:
            return f"{record.head_branch} moved from {head_sha[:12]} since it was looked at"
        base = self._base(look, record.base_branch)
        self._store.bring([base, refs.head])
        result = self._merger.update(MergeRequest(number, record, base, refs.head))
        if result.conflicts:
            return f"conflicts with {record.base_branch} in {', '.join(result.conflicts)}"
        if result.sha == refs.head:
            return ""
        branch = record.head_branch
        more = MoreWrites(result.objects, (RefUpdate(f"{BRANCH_REF_PREFIX}{branch}", result.sha, refs.head),))
        if branch in look.refs.checkouts:
            more = more._replace(around=brought_along(self._host, branch, refs.head, result.sha))
        change = PullChange(number, record._replace(base_sha=base), result.sha, refs)
        try:
            self._written(change, f"update pull request #{number}", more)
        except (CheckoutBusyError, CheckedOutError) as busy:
            return str(busy)
        return ""

    def _label(self, number: int, reason: str) -> PullRequest:
        look = self._ledger.read()
        record, refs = _record(look, number), look.refs.pulls[number]
        if (NEEDS_HUMAN_LABEL in record.labels) is bool(reason) or record.state is not PullRequestState.OPEN:
            return self._answer(look, number)
        others = tuple(label for label in record.labels if label != NEEDS_HUMAN_LABEL)
        labels = (*others, NEEDS_HUMAN_LABEL) if reason else others
        change = PullChange(number, record._replace(labels=labels, reason=reason), refs.head, refs)
        return self._written(change, f"pull request #{number} {'needs a person' if reason else 'handed back'}")

    def _close(self, number: int, reason: str) -> PullRequest:
        look = self._ledger.read()
        record = _record(look, number)
        if record.state is not PullRequestState.OPEN:
            return self._answer(look, number)
        refs = look.refs.pulls[number]
        closed = record._replace(state=PullRequestState.CLOSED, reason=reason)
        return self._written(PullChange(number, closed, refs.head, refs), f"close pull request #{number}")

    def _written(self, change: PullChange, why: str, more: MoreWrites = NOTHING_MORE) -> PullRequest:
        (record,) = self._ledger.write([change], why, more)
        unchanged = record is change.record and change.former is not None and change.former.head == change.head
        if not unchanged or not self._pages.path(change.number).exists():
            self._pages.write(change.number, record, change.head)
        return self._as_pull_request(change.number, record, change.head)

    def _until_settled(self, attempt: Callable[[], _T]) -> _T:
        """Look and decide again while others move the refs that we want to move."""
        for _ in range(_RACES_BORNE - 1):
            try:
                return attempt()
            except LostRaceError:
                continue
        return attempt()

    def _base(self, look: Look, branch: str) -> str:
        base = look.refs.branches.get(branch)
        if base is None:
            raise ForgeError(f"{self.place} has no branch {branch!r} to merge into")
        return base

    def _is_lacking(self, base: str, sha: str) -> bool:
        self._store.bring([base, sha])
        return sha in find_ahead(self._host, base, [sha]).parents

    def _answer(self, look: Look, number: int) -> PullRequest:
        return self._as_pull_request(number, look.records[number], look.refs.pulls[number].head)

    def _as_pull_request(self, number: int, record: PullRecord, head: str) -> PullRequest:
        return as_pull_request(number, record, head, self._pages.url(number))


_ENDED = {PullRequestState.MERGED: MergeOutcome.MERGED, PullRequestState.CLOSED: MergeOutcome.CLOSED}
_METHOD_WORDS = {
    MergeMethod.MERGE: "merge commit",
    MergeMethod.SQUASH: "squash",
    MergeMethod.REBASE: "rebase",
}


def _record(look: Look, number: int) -> PullRecord:
    if number not in look.records:
        known = ", ".join(f"#{known}" for known in look.records) or "none yet"
        raise ForgeError(f"there is no pull request #{number}; known: {known}")
    return look.records[number]
