"""Looks, branch updates and questions to people: the same on every forge."""

from __future__ import annotations

import pytest

from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Mergeable
from parallel_workers.pull_requests import MergeOutcome, PullRequestState
from parallel_workers.spec import MergeMethod
from tests.contracts.conftest import ForgeWorld


def test_a_look_tells_of_those_asked_for_and_leaves_out_what_it_does_not_know(world: ForgeWorld) -> None:
    opened = [world.forge.ensure_pull_request(world.draft(name)) for name in ("one", "two")]
    seen = world.forge.look([opened[0].number, 99], at_once=True)
    assert list(seen) == [opened[0].number]
    snapshot = seen[opened[0].number]
    assert snapshot.pull_request.head_sha == opened[0].head_sha
    assert snapshot.mergeable is Mergeable.YES
    assert snapshot.base_sha == world.base_sha()
    assert not snapshot.checks
    world.forge.merge_pull_request(opened[0].number, MergeMethod.MERGE)
    ended = world.forge.look([opened[0].number], at_once=True)[opened[0].number]
    assert ended.pull_request.state is PullRequestState.MERGED


def test_a_conflict_is_seen_before_anybody_tries_to_merge(world: ForgeWorld) -> None:
    drafts = [world.draft(name, {"same.txt": f"{name}\n"}) for name in ("one", "two")]
    one, two = (world.forge.ensure_pull_request(draft) for draft in drafts)
    assert world.forge.merge_pull_request(one.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert world.forge.look([two.number], at_once=True)[two.number].mergeable is Mergeable.CONFLICTING
    assert "same.txt" in world.forge.update_branch(two.number, two.head_sha)


def test_only_the_head_that_was_judged_is_merged(world: ForgeWorld) -> None:
    opened = world.forge.ensure_pull_request(world.draft("one"))
    head = world.commit(world.clone.parent / "work" / "one", {"more.txt": "more\n"})
    world.publish("one")
    attempt = world.forge.merge_pull_request(opened.number, MergeMethod.MERGE, opened.head_sha)
    assert attempt.outcome is MergeOutcome.WAIT
    assert world.forge.merge_pull_request(opened.number, MergeMethod.MERGE, head).outcome is MergeOutcome.MERGED


def test_a_branch_is_updated_with_its_base_once(world: ForgeWorld) -> None:
    one, two = (world.forge.ensure_pull_request(world.draft(name)) for name in ("one", "two"))
    world.forge.merge_pull_request(one.number, MergeMethod.MERGE)
    assert world.forge.update_branch(two.number, two.head_sha) == ""
    updated = world.forge.look([two.number], at_once=True)[two.number].pull_request
    assert updated.head_sha != two.head_sha
    assert world.git(world.hosted, "rev-parse", "feature/two") == updated.head_sha
    parents = world.git(world.hosted, "rev-list", "--parents", "-n1", "feature/two").split()[1:]
    assert parents == [two.head_sha, world.base_sha()]
    assert world.forge.update_branch(two.number, two.head_sha) != "", "its head is another now"
    assert world.forge.update_branch(two.number, updated.head_sha) == "", "it is up to date"
    attempt = world.forge.merge_pull_request(two.number, MergeMethod.SQUASH, updated.head_sha)
    assert attempt.outcome is MergeOutcome.MERGED
    assert world.forge.is_content_in_base(attempt.pull_request)


def test_a_person_is_asked_once_and_the_question_outlives_the_next_push(world: ForgeWorld) -> None:
    draft = world.draft("one")
    opened = world.forge.ensure_pull_request(draft)
    for _ in range(2):
        world.forge.ask_for_human(opened.number, "cannot settle this alone")
    asked = world.forge.look([opened.number], at_once=True)[opened.number].pull_request
    assert asked.labels.count(NEEDS_HUMAN_LABEL) == 1
    again = world.forge.ensure_pull_request(draft._replace(title="Another title"))
    assert NEEDS_HUMAN_LABEL in again.labels


@pytest.mark.parametrize("ended", ["merged", "closed"])
def test_what_has_ended_is_not_updated(world: ForgeWorld, ended: str) -> None:
    opened = world.forge.ensure_pull_request(world.draft("one"))
    if ended == "merged":
        world.forge.merge_pull_request(opened.number, MergeMethod.MERGE)
    else:
        world.forge.close_pull_request(opened.number)
    assert ended in world.forge.update_branch(opened.number, opened.head_sha)
