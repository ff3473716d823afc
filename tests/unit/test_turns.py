"""Many pull requests into one base, each merge making all others stale: all are merged, and the effort stays linear."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.decisions.front import decide_front
from parallel_workers.decisions.merge_decisions import Merge, MergeRules, Rework, ReworkMemory, UpdateBranch
from parallel_workers.decisions.merging import decide_merge
from parallel_workers.decisions.rework_memory import remember
from parallel_workers.pull_request_snapshots import CheckState, Mergeable, PullRequestSnapshot
from parallel_workers.spec import MergePolicy
from tests.unit.open_pull_requests import GREEN, OPEN, PENDING, READY

RULES = MergeRules(MergePolicy.AUTO)


class Base:
    """A forge with one base that wants branches up to date, and CI that needs a round for each new head."""

    def __init__(self, count: int, red: set[int], random: Random) -> None:
        self.open = {n: READY._replace(pull_request=OPEN._replace(number=n)) for n in range(1, count + 1)}
        self.memory = dict.fromkeys(self.open, ReworkMemory())
        self.red, self.random, self.pushes = set(red), random, 0
        self.done: Counter[str] = Counter()

    def round(self) -> None:
        """Every worker looks and acts once, in any order; then CI has a word on what was pushed."""
        for number in self.random.sample(sorted(self.open), len(self.open)):
            self._act(number)
        for number, snapshot in self.open.items():
            if not snapshot.checks:
                self.open[number] = snapshot._replace(checks=(PENDING,), blocked_by="")
            elif snapshot.checks[0].state is CheckState.PENDING:
                state = CheckState.RED if number in self.red else CheckState.GREEN
                self.red.discard(number)
                self.open[number] = snapshot._replace(checks=(GREEN._replace(state=state),))

    def _act(self, number: int) -> None:
        snapshot = self.open[number]
        decision = decide_merge(snapshot, RULES, self.memory[number], decide_front(self.open.values()).get("main"))
        match decision:
            case Merge():
                del self.open[number]
                self.open = {other: self._stale(each) for other, each in self.open.items()}
            case UpdateBranch():
                self.open[number] = self._pushed(snapshot)
            case Rework():
                self.memory[number] = remember(self.memory[number], decision, snapshot.pull_request.head_sha)
                self.open[number] = self._pushed(snapshot)
        self.done[type(decision).__name__] += 1

    def _stale(self, snapshot: PullRequestSnapshot) -> PullRequestSnapshot:
        if self.random.random() < 0.5:
            return snapshot._replace(is_behind=True)
        return snapshot._replace(mergeable=Mergeable.CONFLICTING)

    def _pushed(self, snapshot: PullRequestSnapshot) -> PullRequestSnapshot:
        """A push that mends red checks does not bring it up to date with the base.

        CI is not there at once, and until then the forge only says that it does not merge.
        """
        self.pushes += 1
        was_red = any(check.state is CheckState.RED for check in snapshot.checks)
        head = snapshot.pull_request._replace(head_sha=f"{self.pushes:040}")
        pushed = snapshot._replace(pull_request=head, checks=(), blocked_by="a required check has not reported")
        return pushed if was_red else pushed._replace(is_behind=False, mergeable=Mergeable.YES)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 25), st.sets(st.integers(1, 25), max_size=6), st.randoms(use_true_random=False))
def test_all_are_merged_with_one_update_each(count: int, red: set[int], random: Random) -> None:
    base = Base(count, red, random)
    for _ in range(20 * count + 20):
        base.round()
    assert not base.open
    assert base.done["Merge"] == count
    # Each is brought up to date once; a red check costs a turn, its own rework, and perhaps another turn.
    assert base.done["UpdateBranch"] + base.done["Rework"] <= count + 3 * len(red)
