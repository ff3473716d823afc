"""Merging, updating and asking: done once, and told as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from parallel_workers.errors import ForgeError
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL, Check, CheckState
from parallel_workers.pull_requests import MergeOutcome
from parallel_workers.spec import MergeMethod
from tests.fake_github.faults import FaultKind

if TYPE_CHECKING:
    from tests.github.conftest import GitHubWorld

_LOST = (FaultKind.LOST, FaultKind.LOST_502, FaultKind.CUT_SHORT, FaultKind.DUPLICATE, FaultKind.RESET)


@pytest.mark.parametrize("kind", _LOST, ids=lambda kind: kind.name.lower())
def test_a_merge_whose_answer_is_lost_happens_once(github: GitHubWorld, kind: FaultKind) -> None:
    forge = github.forge(github.clockwork().timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    base = github.repository.branches()["main"]
    github.server.faults.next(kind, method="PUT", path="/merge$")
    attempt = forge.merge_pull_request(pull.number, MergeMethod.SQUASH, pull.head_sha)
    assert attempt.outcome is MergeOutcome.MERGED
    merged = github.repository.branches()["main"]
    assert attempt.pull_request.merge_sha == merged
    git_dir = github.repository.state.git.path
    assert github.git(git_dir, "rev-list", "--count", f"{base}..{merged}") == "1"


def test_a_base_that_is_just_being_modified_is_tried_again(github: GitHubWorld) -> None:
    clock = github.clockwork()
    forge = github.forge(clock.timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    github.repository.state.base_modified_answers = 2
    attempt = forge.merge_pull_request(pull.number, MergeMethod.MERGE, pull.head_sha)
    assert attempt.outcome is MergeOutcome.MERGED
    assert sum(clock.slept) < 30


def test_what_stands_in_the_way_is_said_and_waited_for(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    github.repository.protect(required_checks=["ci"])
    attempt = forge.merge_pull_request(pull.number, MergeMethod.MERGE, pull.head_sha)
    assert attempt.outcome is MergeOutcome.WAIT
    assert "ci" in attempt.reason
    github.repository.protect()
    github.repository.allow(allow_squash_merge=False)
    attempt = forge.merge_pull_request(pull.number, MergeMethod.SQUASH, pull.head_sha)
    assert (attempt.outcome, "not allowed" in attempt.reason) == (MergeOutcome.REFUSED, True)
    assert not attempt.needs_queue
    github.repository.allow(has_merge_queue=True)
    attempt = forge.merge_pull_request(pull.number, MergeMethod.MERGE, pull.head_sha)
    assert (attempt.outcome, attempt.needs_queue) == (MergeOutcome.REFUSED, True)


def test_a_rebase_that_git_could_do_and_github_refuses_is_a_lasting_refusal(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    first = github.draft("one", {"README.md": "theirs\n"})
    github.git(github.clone, "checkout", "--quiet", first.head_branch)
    github.git(github.clone, "revert", "--no-edit", "HEAD")
    github.git(github.clone, "push", "--quiet", str(github.repository.state.git.path), first.head_branch)
    head = github.git(github.clone, "rev-parse", "HEAD")
    other = forge.ensure_pull_request(github.draft("two", {"README.md": "ours\n"}))
    pull = forge.ensure_pull_request(first._replace(head_sha=head))
    forge.merge_pull_request(other.number, MergeMethod.MERGE, other.head_sha)
    reasons = {forge.merge_pull_request(pull.number, MergeMethod.REBASE, pull.head_sha)[:2] for _ in range(2)}
    assert [outcome for outcome, _ in reasons] == [MergeOutcome.REFUSED]


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.LOST_502, FaultKind.CUT_SHORT], ids=lambda one: one.name)
def test_a_person_is_asked_in_one_comment(github: GitHubWorld, kind: FaultKind) -> None:
    forge = github.forge(github.clockwork().timing)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.server.faults.next(kind, method="POST", path="/comments$")
    forge.ask_for_human(number, "three rounds did not do it")
    github.forge().ask_for_human(number, "three rounds did not do it")
    pull = github.repository.pull(number)
    assert len(pull.comments) == 1
    assert "three rounds did not do it" in pull.comments[0].body
    assert pull.label_keys == [NEEDS_HUMAN_LABEL]


@pytest.mark.parametrize("kind", [FaultKind.LOST, FaultKind.LOST_502, FaultKind.RESET], ids=lambda one: one.name)
def test_a_branch_update_whose_answer_is_lost_happens_once(github: GitHubWorld, kind: FaultKind) -> None:
    forge = github.forge(github.clockwork().timing)
    one, two = (forge.ensure_pull_request(github.draft(name)) for name in ("one", "two"))
    forge.merge_pull_request(one.number, MergeMethod.MERGE, one.head_sha)
    github.server.faults.next(kind, method="PUT", path="/update-branch$")
    if forge.update_branch(two.number, two.head_sha):
        assert forge.update_branch(two.number, two.head_sha) == ""
    assert github.server.usage.branch_updates == 1


@pytest.mark.parametrize("status", ["reader", "missing permission"])
def test_what_the_token_may_not_do_is_a_refusal_with_the_reason(github: GitHubWorld, status: str) -> None:
    """And no error: a worker that asked a person could go on with another token, or be merged by hand."""
    pull = github.forge().ensure_pull_request(github.draft("one"))
    if status == "reader":
        github.token = github.repository.give("reader", "read")
    else:
        for kind in ("/update-branch$", "/merge$", "/graphql$"):
            github.server.faults.next(FaultKind.FORBIDDEN, path=kind)
    forge = github.forge(github.clockwork().timing)
    assert re.search("permission|forbids", forge.update_branch(pull.number, pull.head_sha))
    attempt = forge.merge_pull_request(pull.number, MergeMethod.MERGE, pull.head_sha)
    assert attempt.outcome is MergeOutcome.REFUSED
    assert re.search("permission|forbids", attempt.reason)
    assert forge.enable_auto_merge(pull.number, MergeMethod.MERGE, pull.head_sha)
    assert github.repository.pull(pull.number).state == "open"


@pytest.mark.parametrize("way", ["update", "merge", "auto-merge"])
def test_a_token_that_is_no_longer_accepted_is_an_error(github: GitHubWorld, way: str) -> None:
    forge = github.forge(github.clockwork().timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    github.server.credentials.revoke(github.token)
    with pytest.raises(ForgeError, match="does not accept the token"):
        if way == "update":
            forge.update_branch(pull.number, pull.head_sha)
        elif way == "merge":
            forge.merge_pull_request(pull.number, MergeMethod.MERGE, pull.head_sha)
        else:
            forge.enable_auto_merge(pull.number, MergeMethod.MERGE, pull.head_sha)


def test_where_nobody_may_comment_a_person_is_asked_by_the_label(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    number = forge.ensure_pull_request(github.draft("one")).number
    github.server.faults.next(FaultKind.FORBIDDEN, method="POST", path="/comments$")
    forge.ask_for_human(number, "three rounds did not do it")
    assert github.repository.pull(number).label_keys == [NEEDS_HUMAN_LABEL]


def test_auto_merge_is_enabled_or_the_reason_is_told(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    assert "not allowed" in forge.enable_auto_merge(pull.number, MergeMethod.MERGE, pull.head_sha)
    github.repository.allow(allow_auto_merge=True)
    github.repository.protect(required_checks=["ci"])
    assert forge.enable_auto_merge(pull.number, MergeMethod.SQUASH, pull.head_sha) == ""
    assert forge.look([pull.number], at_once=True)[pull.number].is_auto_merging
    github.repository.set_check(pull.number, "ci", "success")
    assert forge.fetch_pull_request(pull.number).state.value == "merged"


def test_auto_merge_is_disabled_again_and_the_queue_is_left(github: GitHubWorld) -> None:
    github.repository.allow(allow_auto_merge=True)
    github.repository.protect(required_checks=["ci"])
    forge = github.forge(github.clockwork().timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    assert forge.disable_auto_merge(pull.number) == ""
    assert forge.enable_auto_merge(pull.number, MergeMethod.MERGE, pull.head_sha) == ""
    assert forge.look([pull.number], at_once=True)[pull.number].is_auto_merging
    assert forge.disable_auto_merge(pull.number) == ""
    assert github.repository.pull(pull.number).auto_merge is None
    github.repository.allow(has_merge_queue=True)
    assert forge.enable_auto_merge(pull.number, MergeMethod.MERGE, pull.head_sha) == ""
    github.repository.set_check(pull.number, "ci", "success")
    assert github.repository.pull(pull.number).is_queued
    assert forge.disable_auto_merge(pull.number) == ""
    assert not github.repository.pull(pull.number).is_queued


@pytest.mark.parametrize("is_allowed", [True, False], ids=["auto-merge is allowed", "auto-merge is not allowed"])
def test_what_is_ready_goes_into_the_queue(github: GitHubWorld, is_allowed: bool) -> None:  # noqa: FBT001 - a parameter
    github.repository.allow(has_merge_queue=True, allow_auto_merge=is_allowed)
    github.repository.protect(required_checks=["ci"])
    forge = github.forge(github.clockwork().timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    why = forge.enable_auto_merge(pull.number, MergeMethod.MERGE, pull.head_sha)
    assert (why == "") is is_allowed, "auto-merge waits for the check; the queue takes only what is ready"
    assert is_allowed or "not ready" in why
    github.repository.set_check(pull.number, "ci", "success")
    if is_allowed:
        assert github.repository.pull(pull.number).is_queued
        github.repository.drop_from_queue(pull.number)
    for _ in range(2):
        assert forge.enable_auto_merge(pull.number, MergeMethod.MERGE, pull.head_sha) == "", "twice is no refusal"
    assert github.repository.pull(pull.number).is_queued
    github.repository.drop_from_queue(pull.number)
    assert forge.enable_auto_merge(pull.number, MergeMethod.MERGE, "0" * 40) != ""


def test_what_github_does_not_show_is_not_taken_for_switched_off(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    pull = forge.ensure_pull_request(github.draft("one"))
    github.repository.state.pulls_by_node.clear()
    with pytest.raises(ForgeError, match="by itself: ") as caught:
        forge.disable_auto_merge(pull.number)
    assert caught.value.transient, "it is looked at again"


def test_a_log_is_bounded_and_its_store_gets_no_credential(github: GitHubWorld) -> None:
    forge = github.forge()
    number = forge.ensure_pull_request(github.draft("one")).number
    run = github.repository.set_check(number, "ci", "failure", log="x" * 300_000 + "\nthe end\n")
    check = Check("ci", CheckState.RED, key=f"check-run:{run.id}")
    text = forge.fetch_check_log(check, 500)
    assert len(text) <= 500
    assert text.endswith("the end")
    stored = github.server.requests[-1]
    assert "/api/" not in stored.target
    assert "authorization" not in {name.lower() for name in stored.headers}
    assert forge.fetch_check_log(Check("status", CheckState.RED), 500) == ""


def test_a_cut_leaves_no_part_of_a_secret_in_a_log(github: GitHubWorld) -> None:
    forge = github.forge()
    number = forge.ensure_pull_request(github.draft("one")).number
    secret = "ghp_" + "s3cr3t" * 6
    log = f"start of it\ntoken={secret} and then the end\n"
    for shown in (20, 45, 52, 90):
        run = github.repository.set_check(number, "ci", "failure", log=log)
        text = forge.fetch_check_log(Check("ci", CheckState.RED, key=f"check-run:{run.id}"), shown)
        assert "s3cr3t" not in text
        assert text.endswith("the end")


def test_a_repository_that_is_renamed_meanwhile_is_followed(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    one, two = (forge.ensure_pull_request(github.draft(name)) for name in ("one", "two"))
    forge.close_pull_request(two.number)
    forge.fetch_pull_requests(include_ended=True)
    draft = github.draft("three")
    github.server.rename(github.repository.state, "renamed")
    github.repository.merge(one.number)
    states = [pull.state.value for pull in forge.fetch_pull_requests(include_ended=True)]
    assert states == ["merged", "closed"]
    github.server.rename(github.repository.state, "again")
    three = forge.ensure_pull_request(draft)
    assert forge.place == "octo/again"
    github.server.rename(github.repository.state, "and-again")
    attempt = forge.merge_pull_request(three.number, MergeMethod.SQUASH, three.head_sha)
    assert attempt.outcome is MergeOutcome.MERGED
    github.server.rename(github.repository.state, "once-more")
    assert forge.ensure_pull_request(draft).number == three.number
