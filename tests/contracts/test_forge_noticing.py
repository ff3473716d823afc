"""Contract of ports.Forge: what people do with plain git is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from parallel_workers.pull_requests import MergeOutcome, PullRequest, PullRequestState
from parallel_workers.spec import MergeMethod

if TYPE_CHECKING:
    from tests.contracts.conftest import ForgeWorld


_Way = Callable[["ForgeWorld", Path, str], None]


def _merge_commit(world: ForgeWorld, checkout: Path, head: str) -> None:
    world.git(checkout, "merge", "--quiet", "--no-ff", "--no-edit", head)


def _fast_forward(world: ForgeWorld, checkout: Path, head: str) -> None:
    world.git(checkout, "merge", "--quiet", "--ff-only", head)


def _squash(world: ForgeWorld, checkout: Path, head: str) -> None:
    world.commit(checkout, {"between.txt": "so that no two trees are alike\n"})
    world.git(checkout, "merge", "--quiet", "--squash", head)
    world.git(checkout, "commit", "--quiet", "--message", "all in one")


def _rebase(world: ForgeWorld, checkout: Path, head: str) -> None:
    world.commit(checkout, {"between.txt": "so that commits are new\n"})
    world.git(checkout, "cherry-pick", f"{head}~1", head)


def _squash_and_change_on(world: ForgeWorld, checkout: Path, head: str) -> None:
    _squash(world, checkout, head)
    world.commit(checkout, {"a.txt": "changed on\n"})


def _rebase_and_change_on(world: ForgeWorld, checkout: Path, head: str) -> None:
    _rebase(world, checkout, head)
    world.commit(checkout, {"a.txt": "changed on\n"})


_WAYS = (_merge_commit, _fast_forward, _squash, _rebase, _squash_and_change_on, _rebase_and_change_on)
_FRESH = (_merge_commit, _rebase, _squash_and_change_on)
_BY_ANCESTRY = (_merge_commit, _fast_forward)


def _open_two(world: ForgeWorld) -> tuple[PullRequest, PullRequest]:
    one = world.forge.ensure_pull_request(world.draft("one", {"a.txt": "1\n"}, {"b.txt": "2\n"}))
    other = world.forge.ensure_pull_request(world.draft("other", {"other.txt": "1\n"}, {"more.txt": "2\n"}))
    return one, other


@pytest.mark.parametrize(
    ("way", "looked_before"),
    [*((way, True) for way in _WAYS), *((way, False) for way in _FRESH)],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "looked-before" if value else "fresh",
)
def test_a_merge_made_by_a_person_is_noticed(world: ForgeWorld, way: _Way, *, looked_before: bool) -> None:
    one, other = _open_two(world)
    if looked_before:
        assert world.forge.fetch_pull_requests() == (one, other)
    way(world, world.person(), one.head_sha)
    world.person_publishes()
    forge = world.forge if looked_before else world.open_forge()
    if way not in _BY_ANCESTRY and not world.ways.notices_content:
        assert forge.fetch_pull_requests() == (one, other)
        assert not forge.is_content_in_base(other)
        return
    assert forge.fetch_pull_requests() == (other,)
    noticed = forge.fetch_pull_request(one.number)
    assert noticed.state is PullRequestState.MERGED
    assert noticed.merge_sha
    assert noticed.merge_sha[:12] in noticed.reason
    world.git(world.hosted, "merge-base", "--is-ancestor", noticed.merge_sha, "main")
    assert forge.is_content_in_base(noticed)
    assert not forge.is_content_in_base(other)
    base = world.base_sha()
    assert forge.merge_pull_request(one.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert world.base_sha() == base


def test_the_merge_commit_itself_is_named(world: ForgeWorld) -> None:
    one, _ = _open_two(world)
    checkout = world.person()
    world.commit(checkout, {"before.txt": "1\n"})
    _merge_commit(world, checkout, one.head_sha)
    merge = world.git(checkout, "rev-parse", "HEAD")
    world.commit(checkout, {"after.txt": "1\n"})
    world.person_publishes()
    assert world.forge.fetch_pull_request(one.number).merge_sha == merge


def test_other_commits_on_the_base_merge_nothing(world: ForgeWorld) -> None:
    one, other = _open_two(world)
    world.commit(world.person(), {"unrelated.txt": "1\n"})
    world.person_publishes()
    assert world.forge.fetch_pull_requests() == (one, other)
    assert world.open_forge().fetch_pull_requests() == (one, other)


def test_half_of_the_commits_is_not_a_merge(world: ForgeWorld) -> None:
    one, other = _open_two(world)
    checkout = world.person()
    world.commit(checkout, {"between.txt": "1\n"})
    world.git(checkout, "cherry-pick", one.head_sha)
    world.person_publishes()
    assert world.forge.fetch_pull_requests() == (one, other)


def test_a_stacked_pull_request_is_merged_with_the_one_above_it(world: ForgeWorld) -> None:
    below = world.forge.ensure_pull_request(world.draft("below"))
    worktree = world.start("above", base="feature/below")
    head = world.commit(worktree, {"above.txt": "1\n"})
    world.publish("above")
    draft = world.draft("spare")._replace(worker="worker-above", head_branch="feature/above", head_sha=head)
    above = world.forge.ensure_pull_request(draft)
    world.forge.merge_pull_request(above.number, MergeMethod.MERGE)
    assert world.forge.fetch_pull_requests() == ()
    assert world.forge.fetch_pull_request(below.number).state is PullRequestState.MERGED


def test_commits_pushed_to_the_branch_belong_to_the_pull_request(world: ForgeWorld) -> None:
    one, other = _open_two(world)
    head = world.commit(world.clone.parent / "work" / "one", {"more-of-one.txt": "1\n"})
    world.publish("one")
    moved, same = world.forge.fetch_pull_requests()
    assert (moved.number, moved.head_sha, moved.state) == (one.number, head, PullRequestState.OPEN)
    assert same == other
    assert world.open_forge().fetch_pull_request(one.number).head_sha == head


def test_a_rewritten_branch_is_followed(world: ForgeWorld) -> None:
    one, _ = _open_two(world)
    worktree = world.clone.parent / "work" / "one"
    world.git(worktree, "commit", "--quiet", "--amend", "--message", "feat: said better")
    world.publish("one", force=True)
    assert world.forge.fetch_pull_request(one.number).head_sha == world.git(worktree, "rev-parse", "HEAD")


def test_a_branch_set_back_to_the_base_is_not_taken_for_a_merge(world: ForgeWorld) -> None:
    one, other = _open_two(world)
    world.commit(world.person(), {"unrelated.txt": "1\n"})
    world.person_publishes()
    worktree = world.clone.parent / "work" / "one"
    world.git(worktree, "reset", "--quiet", "--hard", "main")
    world.publish("one", force=True)
    left = (one, other) if world.ways.outlives_its_branch else (other,)
    assert world.forge.fetch_pull_requests() == left
    assert world.open_forge().fetch_pull_requests() == left
    assert world.forge.fetch_pull_request(one.number).state is not PullRequestState.MERGED


def test_a_deleted_branch_leaves_the_work_to_be_merged_or_closes_it(world: ForgeWorld) -> None:
    one, other = _open_two(world)
    world.git(world.clone, "worktree", "remove", str(world.clone.parent / "work" / "one"))
    world.withdraw("one")
    if not world.ways.outlives_its_branch:
        assert world.forge.fetch_pull_requests() == (other,)
        assert world.forge.fetch_pull_request(one.number).state is PullRequestState.CLOSED
        assert world.forge.merge_pull_request(one.number, MergeMethod.SQUASH).outcome is MergeOutcome.CLOSED
        return
    assert world.forge.fetch_pull_requests() == (one, other)
    assert world.forge.merge_pull_request(one.number, MergeMethod.SQUASH).outcome is MergeOutcome.MERGED
    assert world.base_file("b.txt") == "2"


def test_a_head_that_moved_unseen_is_looked_at_before_it_is_merged(world: ForgeWorld) -> None:
    one, _ = _open_two(world)
    base = world.base_sha()
    head = world.commit(world.clone.parent / "work" / "one", {"unseen.txt": "1\n"})
    world.publish("one")
    attempt = world.forge.merge_pull_request(one.number, MergeMethod.MERGE)
    assert attempt.outcome is MergeOutcome.WAIT
    assert one.head_sha[:12] in attempt.reason
    assert (attempt.pull_request.head_sha, world.base_sha()) == (head, base)
    assert world.forge.merge_pull_request(one.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert world.base_file("unseen.txt") == "1"
