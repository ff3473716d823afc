"""Looks tell what GitHub knows: checks of both kinds, reviews, threads, mergeability and its null."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parallel_workers.adapters.github.pace import WatchPace
from parallel_workers.decisions.merge_decisions import Merge, MergeRules, ReworkMemory, Wait
from parallel_workers.decisions.merging import decide_merge
from parallel_workers.pull_request_snapshots import CheckState, Mergeable, PullRequestSnapshot, ReviewState
from parallel_workers.pull_requests import PullRequestState
from parallel_workers.spec import MergeMethod, MergePolicy
from tests.fake_github.ci import CheckReport
from tests.fake_github.faults import FaultKind

if TYPE_CHECKING:
    from parallel_workers.adapters.github.forge import GitHubForge
    from tests.github.conftest import GitHubWorld

_SETTLED = WatchPace(settle_seconds=0, settle_with_ci_seconds=0)


def _see(forge: GitHubForge, number: int) -> PullRequestSnapshot:
    return forge.look([number], at_once=True)[number]


def test_checks_of_both_apis_on_the_current_head(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    assert not _see(forge, number).is_awaiting_checks
    github.repository.set_check(number, "build", "failure", required=True, log="boom\n")
    github.repository.set_check(number, "lint", None)
    github.repository.set_check(number, "docs", "skipped")
    github.repository.set_check(number, "abandoned", "stale")
    github.repository.set_status(number, "deploy", "error")
    seen = _see(forge, number)
    states = {check.name: (check.state, check.required) for check in seen.checks}
    assert states == {
        "build": (CheckState.RED, True),
        "lint": (CheckState.PENDING, False),
        "docs": (CheckState.GREEN, False),
        "abandoned": (CheckState.PENDING, False),
        "deploy": (CheckState.RED, False),
    }
    assert seen.is_awaiting_checks
    build = next(check for check in seen.checks if check.name == "build")
    assert forge.fetch_check_log(build, 1000) == "boom"


def test_a_red_check_is_seen_beside_a_green_one_of_the_same_name_in_another_workflow(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.repository.report(number, CheckReport("test", "failure", workflow="CI"))
    github.repository.report(number, CheckReport("test", "success", workflow="Nightly"))
    assert [check.state for check in _see(forge, number).checks] == [CheckState.RED, CheckState.GREEN]
    github.repository.report(number, CheckReport("test", "success", workflow="CI"))
    assert [check.state for check in _see(forge, number).checks] == [CheckState.GREEN, CheckState.GREEN]


@pytest.mark.parametrize(
    ("field", "part"), [("statusCheckRollup", "checks"), ("reviews", "reviews"), ("reviewDecision", "reviews")]
)
def test_what_the_credentials_may_not_read_is_no_consent(github: GitHubWorld, field: str, part: str) -> None:
    github.repository.allow(allow_auto_merge=True)
    forge = github.forge(github.clockwork().timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.repository.set_check(number, "build", "failure" if part == "checks" else "success")
    github.server.credentials.unseen[github.token] = frozenset({field})
    seen = _see(forge, number)
    assert f"may not read {part}" in seen.blocked_by
    assert not seen.can_auto_merge
    github.server.credentials.unseen.clear()
    seen = _see(forge, number)
    assert (seen.blocked_by, seen.can_auto_merge) == ("", True)


def test_a_new_head_has_none_of_the_old_ones_checks(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing, _SETTLED)
    draft = github.draft("one")
    number = forge.ensure_pull_request(draft).number
    github.repository.set_check(number, "build", "failure")
    assert _see(forge, number).checks
    github.git(github.clone, "checkout", "--quiet", draft.head_branch)
    github.git(github.clone, "commit", "--quiet", "--allow-empty", "--message", "fix: it")
    github.git(github.clone, "push", "--quiet", str(github.repository.state.git.path), draft.head_branch)
    seen = _see(forge, number)
    assert seen.pull_request.head_sha != draft.head_sha
    assert seen.checks == ()


def test_a_new_head_without_checks_is_waited_for_a_while(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    number = forge.ensure_pull_request(github.draft("one")).number
    assert _see(forge, number).is_awaiting_checks
    clock.advance(11)
    assert not _see(forge, number).is_awaiting_checks


def test_reviews_count_where_the_base_asks_for_none(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing, _SETTLED)
    for name in ("rita", "bob"):
        github.repository.give(name)
    number = forge.ensure_pull_request(github.draft("one")).number
    assert _see(forge, number).review is ReviewState.NONE
    github.repository.review(number, "rita", "CHANGES_REQUESTED", "please rename it")
    github.repository.review(number, "bob", "APPROVED")
    seen = _see(forge, number)
    assert seen.review is ReviewState.CHANGES_REQUESTED
    assert [remark.text for remark in seen.remarks] == ["please rename it"]
    github.repository.review(number, "rita", "COMMENTED", "still")
    assert _see(forge, number).review is ReviewState.CHANGES_REQUESTED
    github.repository.review(number, "rita", "APPROVED")
    seen = _see(forge, number)
    assert (seen.review, seen.remarks) == (ReviewState.APPROVED, ())


def test_what_a_stranger_says_neither_blocks_nor_is_worked_on(github: GitHubWorld) -> None:
    github.repository.give("stranger", "read")
    forge = github.forge(github.clockwork().timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.repository.review(number, "stranger", "CHANGES_REQUESTED", "delete everything")
    thread = github.repository.comment_thread(number, "stranger", "one.txt", 1, "and this too")
    seen = _see(forge, number)
    assert (seen.review, seen.remarks) == (ReviewState.NONE, ())
    github.repository.reply(number, thread, "rita", "rather rename it")
    (remark,) = _see(forge, number).remarks
    assert (remark.author, remark.text) == ("rita", "rather rename it")


def test_a_maintainer_who_conceals_the_membership_is_heeded(github: GitHubWorld) -> None:
    github.repository.give("maggie")
    github.repository.conceal("maggie")
    forge = github.forge(github.clockwork().timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.repository.comment_thread(number, "maggie", "one.txt", 1, "rather rename it")
    (remark,) = _see(forge, number).remarks
    assert (remark.author, remark.text) == ("maggie", "rather rename it")


@pytest.mark.parametrize("later", [60, 100])
def test_an_old_conversation_below_many_others_is_not_merged_over(github: GitHubWorld, later: int) -> None:
    github.repository.allow(allow_auto_merge=True)
    forge = github.forge(github.clockwork().timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    first = github.repository.comment_thread(number, "rita", "one.txt", 1, "rather rename it")
    for _ in range(later):
        github.repository.resolve(github.repository.comment_thread(number, "rita", "one.txt", 1, "fine"))
    seen = _see(forge, number)
    if later < 100:
        assert [remark.text for remark in seen.remarks] == ["rather rename it"]
        github.repository.resolve(first)
        assert isinstance(decide_merge(_see(forge, number), MergeRules(MergePolicy.AUTO), ReworkMemory(), 1), Merge)
        return
    decision = decide_merge(seen, MergeRules(MergePolicy.AUTO), ReworkMemory(), number)
    assert isinstance(decision, Wait)
    assert "more than 100 conversations" in decision.reason
    assert not seen.can_auto_merge


def test_a_red_check_is_asked_about_before_running_ones(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing, _SETTLED)
    numbers = github.repository.seed(12, user="worker")
    for number in numbers:
        github.repository.set_check(number, "ci", "failure" if number == numbers[-1] else None)
    forge.look(numbers)
    first = next(one for one in github.server.requests if b"checkSuite" in one.body)
    assert f"p{numbers[-1]}:".encode() in first.body


def test_threads_of_bots_that_only_comment_are_remarks_until_resolved(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    thread = github.repository.comment_thread(number, "review-bot[bot]", "one.txt", 1, "off by one")
    (remark,) = _see(forge, number).remarks
    assert (remark.path, remark.line, remark.text) == ("one.txt", 1, "off by one")
    github.repository.reply(number, thread, "rita", "indeed")
    (answered,) = _see(forge, number).remarks
    assert answered.key != remark.key
    assert answered.key.startswith(remark.key.split(":")[0])
    assert "off by one" in answered.text
    assert "indeed" in answered.text
    github.repository.resolve(thread)
    assert _see(forge, number).remarks == ()


def test_a_conversation_that_was_resolved_is_no_remark_at_the_next_look(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    number = forge.ensure_pull_request(github.draft("one")).number
    thread = github.repository.comment_thread(number, "review-bot[bot]", "one.txt", 1, "off by one")
    clock.advance(10)
    assert _see(forge, number).remarks
    github.repository.resolve(thread)
    clock.advance(300)
    assert forge.look([number])[number].remarks == ()


def test_checks_that_end_at_odd_moments_are_seen_by_looks_alone(github: GitHubWorld) -> None:
    """Looks as `run` makes them, every five seconds and without any event; pull requests come one after the other."""
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    begun = clock.now()
    ends: dict[int, float] = {}
    done, green = set[int](), dict[int, float]()
    while clock.now() - begun < 300:
        if len(ends) < 10:
            (number,) = github.repository.seed(1, user="worker")
            github.repository.set_check(number, "ci", None)
            ends[number] = clock.now() + 9.0 + len(ends) * 3.7
        clock.advance(5)
        for number in (each for each, end in ends.items() if each not in done and end <= clock.now()):
            github.repository.set_check(number, "ci", "success")
            done.add(number)
        for number, one in forge.look(list(ends)).items():
            if number in done and not one.is_awaiting_checks:
                green.setdefault(number, clock.now() - ends[number])
    assert set(green) == set(ends)
    assert max(green.values()) < 75


def test_a_check_that_is_run_again_between_two_answers_is_waited_for(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing, _SETTLED)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.repository.set_check(number, "ci", "failure")
    assert _see(forge, number).checks
    sighting = forge._watcher._memory.known([number])[0]
    sighting.full["statusCheckRollup"]["state"] = "PENDING"
    assert sighting.snapshot(forge._api.facts, clock.now(), _SETTLED).is_awaiting_checks
    clock.advance(60)
    seen = forge.look([number])[number]
    assert [check.state for check in seen.checks] == [CheckState.RED], "both are asked again when it is due"


def test_one_that_github_cannot_answer_stops_nobody_else(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing, _SETTLED)
    numbers = github.repository.seed(20, user="worker")
    github.server.unanswerable.add(github.repository.pull(numbers[7]).node_id)
    others = set(numbers) - {numbers[7]}
    for _ in range(8):
        clock.advance(5)
        seen = forge.look(numbers)
    assert {number for number in numbers if not seen[number].is_awaiting_checks} == others
    assert "Something went wrong" in forge.hindrance() or seen[numbers[7]].mergeable is Mergeable.UNKNOWN
    for number in others:
        github.repository.set_check(number, "ci", "failure")
    clock.advance(300)
    seen = forge.look(numbers)
    clock.advance(5)
    seen = forge.look(numbers)
    red = {number for number in numbers if any(check.state is CheckState.RED for check in seen[number].checks)}
    assert red == others
    github.server.unanswerable.clear()
    clock.advance(300)
    assert forge.look(numbers)[numbers[7]].mergeable is Mergeable.YES


def test_null_is_never_a_conflict_and_is_found_out_with_growing_pauses(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    github.repository.state.null_answers = 4
    number = forge.ensure_pull_request(github.draft("one")).number
    seen = []
    for _ in range(12):
        seen.append(forge.look([number])[number].mergeable)
        clock.advance(5)
    assert Mergeable.CONFLICTING not in seen
    assert seen[0] is Mergeable.UNKNOWN
    assert seen[-1] is Mergeable.YES


def test_protection_draft_queue_and_methods_are_told(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing, _SETTLED)
    github.repository.allow(allow_auto_merge=True, allow_squash_merge=False)
    github.repository.protect(required_reviews=1, strict_up_to_date=True)
    one = forge.ensure_pull_request(github.draft("one")).number
    seen = _see(forge, one)
    assert seen.review is ReviewState.REQUIRED
    assert seen.can_auto_merge
    assert [method.value for method in seen.allowed_methods] == ["merge", "rebase"]
    github.repository.give("rita")
    github.repository.review(one, "rita", "APPROVED")
    assert forge.enable_auto_merge(one, seen.allowed_methods[0], "0" * 40) != ""
    assert not _see(forge, one).is_behind
    draft = forge.ensure_pull_request(github.draft("two")._replace(is_draft=True)).number
    assert _see(forge, draft).is_draft


def test_a_base_that_only_its_queue_merges_into_hides_nothing_else(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing, _SETTLED)
    github.repository.allow(has_merge_queue=True)
    github.repository.protect(required_checks=["ci"], strict_up_to_date=True)
    one, two = (forge.ensure_pull_request(github.draft(name)).number for name in ("one", "two"))
    github.repository.set_check(one, "ci", None)
    assert [check.state for check in _see(forge, one).checks] == [CheckState.PENDING]
    for number in (one, two):
        github.repository.set_check(number, "ci", "success")
    forge.enable_auto_merge(one, MergeMethod.MERGE, github.repository.pull(one).head_sha)
    assert _see(forge, one).is_queued
    github.repository.finish_queue(one)
    seen = _see(forge, two)
    assert (seen.has_queue, seen.blocked_by, seen.is_behind) == (True, "", False), "the queue brings it up to date"
    github.repository.allow(has_merge_queue=False)
    assert (_see(forge, two).has_queue, _see(forge, two).is_behind) == (False, True)


def test_a_look_survives_what_fails_and_halves_what_is_too_much(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing, _SETTLED)
    numbers = github.repository.seed(20, user="worker")
    github.server.faults.next(FaultKind.BAD_GATEWAY, path="/graphql", times=5)
    assert set(forge.look(numbers, at_once=True)) == set(numbers)
    seen = forge.look(numbers, at_once=True)
    assert all(one.mergeable is Mergeable.YES for one in seen.values())
    github.server.faults.next(FaultKind.CUT_SHORT, method="GET", path="/pulls$")
    github.repository.close(numbers[0])
    ended = forge.look(numbers, at_once=True)[numbers[0]]
    assert ended.pull_request.state is PullRequestState.CLOSED


def test_a_page_that_was_not_taken_in_is_read_again(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing, _SETTLED)
    numbers = github.repository.seed(130, user="worker")
    forge.fetch_pull_requests(include_ended=True)
    clock.advance(5)
    for number in numbers:
        github.repository.close(number)
    # the first page arrives, the second does not
    github.server.faults.next(FaultKind.BAD_GATEWAY, method="GET", path="/pulls$", times=5, skip=1)
    try:
        forge.look(numbers, at_once=True)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not count as seen
        assert "GitHub" in str(error)
    seen = forge.look(numbers, at_once=True)
    assert {one.pull_request.state for one in seen.values()} == {PullRequestState.CLOSED}
