"""Contract of ports.Forge: opening, finding and closing pull requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from parallel_workers.errors import ForgeError
from parallel_workers.pull_requests import MergeOutcome, PullRequestState
from parallel_workers.spec import MergeMethod

if TYPE_CHECKING:
    from tests.contracts.conftest import ForgeWorld


def test_a_draft_becomes_an_open_pull_request_that_says_all_of_it(world: ForgeWorld) -> None:
    draft = world.draft("one")._replace(labels=("agent", "sprint: 1"), milestone="Phase 5", creates_milestone=True)
    made = world.forge.ensure_pull_request(draft)
    assert made.state is PullRequestState.OPEN
    assert (made.worker, made.title, made.body) == (draft.worker, draft.title, draft.body)
    assert (made.head_branch, made.head_sha, made.base_branch) == ("feature/one", draft.head_sha, "main")
    assert (made.labels, made.milestone) == (("agent", "sprint: 1"), "Phase 5")
    assert made.url
    assert made.created_at
    assert made.merge_sha is None
    assert world.open_forge().fetch_pull_request(made.number) == made
    assert world.base_file("one.txt") is None


def test_ensuring_twice_makes_one_pull_request(world: ForgeWorld) -> None:
    draft = world.draft("one")
    assert world.forge.ensure_pull_request(draft) == world.open_forge().ensure_pull_request(draft)
    assert len(world.forge.fetch_pull_requests(include_ended=True)) == 1


def test_ensuring_again_brings_head_title_and_body_up_to_date(world: ForgeWorld) -> None:
    draft = world.draft("one")
    first = world.forge.ensure_pull_request(draft)
    head = world.commit(world.clone.parent / "work" / "one", {"two.txt": "2\n"})
    world.publish("one")
    later = world.forge.ensure_pull_request(draft._replace(head_sha=head, title="Better", body="Other"))
    assert (later.number, later.head_sha, later.title, later.body) == (first.number, head, "Better", "Other")
    assert later.created_at == first.created_at
    assert world.open_forge().fetch_pull_requests() == (later,)


def test_an_open_pull_request_of_another_worker_is_not_taken_over(world: ForgeWorld) -> None:
    draft = world.draft("one")
    first = world.forge.ensure_pull_request(draft)
    other = draft._replace(worker="worker-other")
    with pytest.raises(ForgeError, match=rf"#{first.number} of feature/one .*worker-one.* close #{first.number}"):
        world.forge.ensure_pull_request(other)
    assert world.open_forge().fetch_pull_requests(include_ended=True) == (first,)
    world.forge.close_pull_request(first.number)
    assert world.forge.ensure_pull_request(other).worker == "worker-other"


def test_ensuring_with_another_base_leaves_the_base_to_people(world: ForgeWorld) -> None:
    draft = world.draft("one")
    first = world.forge.ensure_pull_request(draft)
    world.git(world.hosted, "branch", "develop", "main")
    again = world.forge.ensure_pull_request(draft._replace(base_branch="develop", title="Better"))
    assert (again.number, again.title, again.base_branch) == (first.number, "Better", "main")


def test_one_that_a_person_closed_does_not_block_a_new_one(world: ForgeWorld) -> None:
    draft = world.draft("one")
    first = world.forge.ensure_pull_request(draft)
    closed = world.forge.close_pull_request(first.number, "not this way")
    assert (closed.state, closed.reason) == (PullRequestState.CLOSED, "not this way")
    second = world.forge.ensure_pull_request(draft)
    assert second.number != first.number
    assert world.forge.fetch_pull_requests() == (second,)
    assert world.forge.fetch_pull_request(first.number) == closed


def test_a_merged_one_of_the_same_worker_and_head_is_answered_as_it_is(world: ForgeWorld) -> None:
    draft = world.draft("one")
    first = world.forge.ensure_pull_request(draft)
    merged = world.forge.merge_pull_request(first.number, MergeMethod.SQUASH).pull_request
    assert world.open_forge().ensure_pull_request(draft) == merged
    assert len(world.forge.fetch_pull_requests(include_ended=True)) == 1


def test_listing_is_by_number_and_leaves_ended_ones_out_unless_asked(world: ForgeWorld) -> None:
    one, two, three = (world.forge.ensure_pull_request(world.draft(name)) for name in ("one", "two", "three"))
    world.forge.close_pull_request(one.number)
    world.forge.merge_pull_request(two.number, MergeMethod.MERGE)
    assert world.forge.fetch_pull_requests() == (three,)
    ended = world.open_forge().fetch_pull_requests(include_ended=True)
    assert [(pull.number, pull.state.value) for pull in ended] == [
        (one.number, "closed"),
        (two.number, "merged"),
        (three.number, "open"),
    ]


def test_those_of_a_worker_and_branch_are_found_ended_ones_too(world: ForgeWorld) -> None:
    draft = world.draft("one")
    first = world.forge.ensure_pull_request(draft)
    world.forge.close_pull_request(first.number)
    second = world.forge.ensure_pull_request(draft)
    world.forge.ensure_pull_request(world.draft("two"))
    found = world.open_forge().find_pull_requests(draft.worker, draft.head_branch)
    assert [(one.number, one.state.value) for one in found] == [(first.number, "closed"), (second.number, "open")]
    assert world.forge.find_pull_requests("another-worker", draft.head_branch) == ()
    assert world.forge.find_pull_requests(draft.worker, "feature/none") == ()


def test_closing_again_or_after_the_merge_changes_nothing(world: ForgeWorld) -> None:
    one = world.forge.ensure_pull_request(world.draft("one"))
    two = world.forge.ensure_pull_request(world.draft("two"))
    closed = world.forge.close_pull_request(one.number, "first")
    assert world.forge.close_pull_request(one.number, "second") == closed
    merged = world.forge.merge_pull_request(two.number, MergeMethod.MERGE)
    assert merged.outcome is MergeOutcome.MERGED
    assert world.forge.close_pull_request(two.number, "too late") == merged.pull_request


def test_an_unknown_number_is_an_error_that_names_the_known_ones(world: ForgeWorld) -> None:
    known = world.forge.ensure_pull_request(world.draft("one")).number
    for call in (
        lambda: world.forge.fetch_pull_request(99),
        lambda: world.forge.merge_pull_request(99, MergeMethod.MERGE),
        lambda: world.forge.close_pull_request(99),
    ):
        with pytest.raises(ForgeError, match=rf"#99.*#{known}"):
            call()


def test_a_missing_base_or_an_unpushed_head_is_refused(world: ForgeWorld) -> None:
    draft = world.draft("one")
    with pytest.raises(ForgeError, match="trunk"):
        world.forge.ensure_pull_request(draft._replace(base_branch="trunk"))
    with pytest.raises(ForgeError, match="push first"):
        world.forge.ensure_pull_request(draft._replace(head_sha="5" * 40))
    assert world.forge.fetch_pull_requests(include_ended=True) == ()


def test_threads_that_open_at_once_get_numbers_of_their_own(world: ForgeWorld) -> None:
    drafts = [world.draft(f"task-{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(world.forge.ensure_pull_request, drafts * 2))
    assert len({pull.number for pull in made}) == len(drafts)
    listed = world.open_forge().fetch_pull_requests()
    assert {(pull.worker, pull.head_sha) for pull in listed} == {(draft.worker, draft.head_sha) for draft in drafts}
