"""docs/merging.md says what the code says, in the order of the rules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from parallel_workers.decisions import merging
from parallel_workers.decisions.merge_decisions import MergeRules, Rework, ReworkKind, ReworkMemory
from parallel_workers.decisions.merging import decide_merge
from parallel_workers.decisions.refusals import (
    ENOUGH_DELAYS,
    ENOUGH_REFUSALS,
    NotYet,
    remember_handed_over,
    remember_not_yet,
    remember_refused_merge,
    remember_refused_update,
)
from parallel_workers.decisions.rework_memory import (
    checks_fingerprint,
    conflict_fingerprint,
    remember,
    remember_unchanged,
    review_fingerprint,
)
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Mergeable, ReviewState
from parallel_workers.pull_requests import PullRequestState
from parallel_workers.spec import MergePolicy
from tests.unit.open_pull_requests import HEAD, OPEN, PENDING, READY, RED, REMARK

DOCS = Path(__file__).parents[2] / "docs" / "merging.md"
BUILD, LINT = RED._replace(name="build"), RED._replace(name="lint")
BOT = REMARK._replace(key="k", author="a-bot")
CONFLICT = READY._replace(mergeable=Mergeable.CONFLICTING)
BEHIND = READY._replace(is_behind=True)
REVIEWED = remember(
    ReworkMemory(), Rework(ReworkKind.REVIEW, review_fingerprint([REMARK]), "", remarks=(REMARK,)), HEAD
)
UNCHANGED = remember_unchanged(ReworkMemory(), HEAD).handled
AUTO, MANUAL = MergePolicy.AUTO, MergePolicy.MANUAL
NO_UPDATE = NO_MERGE = ReworkMemory()
for _ in range(ENOUGH_REFUSALS):
    NO_UPDATE = remember_refused_update(NO_UPDATE, HEAD, "*reason*")
    NO_MERGE = remember_refused_merge(NO_MERGE, HEAD, "*reason*")
QUEUE = remember_refused_merge(ReworkMemory(), HEAD, "use the merge queue")
LONG_AGO, NOW = "2026-01-02T12:00:00Z", datetime(2026, 1, 3, tzinfo=UTC)
THEN = datetime(2026, 1, 2, tzinfo=UTC)
NO_QUEUE = STILL_BEHIND = NOT_MERGED = ReworkMemory()
for _ in range(ENOUGH_DELAYS):
    NO_QUEUE = remember_not_yet(NO_QUEUE, NotYet.QUEUE, HEAD, "*reason*", THEN)
    STILL_BEHIND = remember_not_yet(STILL_BEHIND, NotYet.UPDATE, HEAD, "its branch was updated", THEN)
    NOT_MERGED = remember_not_yet(NOT_MERGED, NotYet.MERGE, HEAD, "*reason*", THEN)
JUST_GIVEN = remember_handed_over(ReworkMemory(), HEAD, NOW)
LET_GO = remember_handed_over(ReworkMemory(), HEAD, THEN)
OUT_OF_QUEUE = remember_handed_over(remember_handed_over(LET_GO, HEAD, THEN), HEAD, THEN)
SITUATIONS = [
    (1, READY._replace(pull_request=OPEN._replace(state=PullRequestState.MERGED)), AUTO, (), 7),
    (2, READY._replace(pull_request=OPEN._replace(state=PullRequestState.CLOSED, reason="*reason*")), AUTO, (), 7),
    (3, READY._replace(pull_request=OPEN._replace(labels=(NEEDS_HUMAN_LABEL,))), AUTO, (), 7),
    (4, READY._replace(pull_request=OPEN._replace(base_branch="develop")), AUTO, (), 7),
    (4, READY._replace(pull_request=OPEN._replace(base_branch="develop"), is_auto_merging=True), AUTO, (), 7),
    (5, READY._replace(is_queued=True), AUTO, (), 7),
    (6, READY._replace(checks=(BUILD,), is_auto_merging=True), AUTO, (), 7),
    (7, READY._replace(checks=(BUILD, LINT)), MANUAL, (), 7),
    (8, READY._replace(remarks=(REMARK, BOT)), MANUAL, (), 7),
    (9, READY._replace(checks=(BUILD,)), AUTO, (checks_fingerprint(HEAD, [BUILD]),), 7),
    (9, READY._replace(checks=(BUILD,)), AUTO, {checks_fingerprint(HEAD, [BUILD]), *UNCHANGED}, 7),
    (10, READY._replace(review=ReviewState.CHANGES_REQUESTED), AUTO, (), 7),
    (11, READY._replace(remarks=(REMARK,)), AUTO, REVIEWED.handled, 7),
    (11, READY._replace(remarks=(REMARK,)), AUTO, REVIEWED.handled | UNCHANGED, 7),
    (12, READY._replace(is_draft=True), AUTO, (), 7),
    (13, CONFLICT, AUTO, (), 7),
    (13, CONFLICT, AUTO, (conflict_fingerprint(HEAD),), 7),
    (13, CONFLICT, AUTO, (), 3),
    (14, READY, AUTO, LET_GO.handled, 7),
    (14, READY._replace(has_queue=True), AUTO, OUT_OF_QUEUE.handled, 7),
    (14, READY, AUTO, JUST_GIVEN.handled, 7),
    (15, READY._replace(mergeable=Mergeable.UNKNOWN), AUTO, (), 7),
    (16, READY._replace(review=ReviewState.REQUIRED), AUTO, (), 7),
    (17, READY._replace(checks=(PENDING._replace(name="build"),)), AUTO, (), 7),
    (18, BEHIND, AUTO, (), 7),
    (18, BEHIND, AUTO, (), 3),
    (18, BEHIND, AUTO, NO_UPDATE.handled, 7),
    (18, BEHIND, AUTO, STILL_BEHIND.handled, 7),
    (19, READY._replace(is_auto_merging=True), AUTO, (), 7),
    (20, READY, MANUAL, (), 7),
    (21, READY._replace(blocked_by="*reason*"), AUTO, (), 7),
    (21, READY._replace(pull_request=OPEN._replace(updated_at=LONG_AGO), blocked_by="*reason*"), AUTO, (), 7),
    (22, READY, AUTO, (), 7),
    (22, READY, AUTO, QUEUE.handled, 7),
    (22, READY._replace(has_queue=True), AUTO, NO_QUEUE.handled, 7),
    (22, READY, AUTO, NO_MERGE.handled, 7),
    (22, READY, AUTO, NOT_MERGED.handled, 7),
]


def test_the_table_holds_what_is_said_in_the_order_of_the_rules() -> None:
    table = DOCS.read_text(encoding="utf-8").split("## The rules, in order")[1].split("\n\n")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    assert len(rows) == len(SITUATIONS)
    number = 0
    for row, (rule, snapshot, policy, handled, front) in zip(rows, SITUATIONS, strict=True):
        number = int(row[0] or number)
        memory = ReworkMemory(frozenset(handled))
        said = decide_merge(snapshot, MergeRules(policy, base_branch="main"), memory, front, NOW).reason
        shown = said.replace("feature/t", "*branch*").replace(f"labelled {NEEDS_HUMAN_LABEL}", "labelled …")
        assert (number, row[3]) == (rule, shown)
    assert number == len(merging._RULES) + 1
