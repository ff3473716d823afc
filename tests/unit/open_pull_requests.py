"""A pull request that may be merged, for tests that change one thing about it."""

from __future__ import annotations

from parallel_workers.decisions.merge_decisions import MergeDecision, MergeRules, ReworkMemory
from parallel_workers.decisions.merging import decide_merge
from parallel_workers.pull_request_snapshots import Check, CheckState, PullRequestSnapshot, Remark, ReviewState
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.spec import MergePolicy

HEAD, MERGE = "a" * 40, "b" * 40
OPEN = PullRequest(7, "u", "worker-1", "t", "b", PullRequestState.OPEN, "feature/t", HEAD, "main")
GREEN = Check("build", CheckState.GREEN, required=True)
RED, RED_OPTIONAL = Check("test", CheckState.RED, required=True), Check("lint", CheckState.RED)
PENDING, PENDING_OPTIONAL = Check("test", CheckState.PENDING, required=True), Check("lint", CheckState.PENDING)
REMARK = Remark("thread-1/comment-1", "ada", "rename this", "src/a.py", 3)
READY = PullRequestSnapshot(OPEN, checks=(GREEN,), review=ReviewState.APPROVED)
NOTHING = ReworkMemory()


def decide(
    snapshot: PullRequestSnapshot,
    policy: MergePolicy = MergePolicy.AUTO,
    memory: ReworkMemory = NOTHING,
    front: int | None = 7,
) -> MergeDecision:
    """What is decided with merge commits and three rounds of rework, when it is its turn."""
    return decide_merge(snapshot, MergeRules(policy), memory, front)


def moved(snapshot: PullRequestSnapshot, head_sha: str = "c" * 40) -> PullRequestSnapshot:
    """The same, after a push."""
    return snapshot._replace(pull_request=snapshot.pull_request._replace(head_sha=head_sha))
