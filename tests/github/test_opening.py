"""Opening ends in one pull request, whatever happens to requests and answers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from parallel_workers.adapters.github.bodies import BODY_MAX_CHARS
from parallel_workers.errors import ForgeError
from parallel_workers.pull_request_marker import find_marker
from parallel_workers.pull_request_snapshots import NEEDS_HUMAN_LABEL
from tests.fake_github.faults import FaultKind
from tests.fake_github.labelling import make_label
from tests.fake_github.rest_pulls import open_pull
from tests.fake_github.values import Pull

if TYPE_CHECKING:
    from tests.github.conftest import GitHubWorld

_BEFORE = (FaultKind.BAD_GATEWAY, FaultKind.RESET, FaultKind.SECONDARY, FaultKind.TOO_MANY)
_AFTER = (FaultKind.LOST, FaultKind.LOST_502, FaultKind.CUT_SHORT, FaultKind.DUPLICATE)


@pytest.mark.parametrize("kind", [*_BEFORE, *_AFTER], ids=lambda kind: kind.name.lower())
@pytest.mark.parametrize("times", [1, 2])
def test_a_create_that_goes_wrong_ends_in_one(github: GitHubWorld, kind: FaultKind, times: int) -> None:
    draft = github.draft("one")._replace(labels=("phase:5", "type:task"))
    clock = github.clockwork()
    github.server.faults.next(kind, method="POST", path="/pulls$", times=times)
    made = github.forge(clock.timing).ensure_pull_request(draft)
    assert list(github.repository.pulls) == [made.number]
    assert made.labels == ("phase:5", "type:task")
    assert sum(clock.slept) < 60


@pytest.mark.parametrize("kind", [FaultKind.SECONDARY_SILENT, FaultKind.TOO_MANY_SILENT], ids=lambda kind: kind.name)
def test_a_pause_without_a_time_fails_fast_and_says_until_when(github: GitHubWorld, kind: FaultKind) -> None:
    draft, clock = github.draft("one"), github.clockwork()
    forge = github.forge(clock.timing)
    github.server.faults.next(kind, method="POST", path="/pulls$")
    with pytest.raises(ForgeError, match=r"pause until \d\d:\d\d") as caught:
        forge.ensure_pull_request(draft)
    assert caught.value.transient
    assert "pause until" in forge.waits_for_forge()
    assert clock.slept == [0.0]
    clock.advance(60)
    assert forge.waits_for_forge() == ""
    assert forge.ensure_pull_request(draft).number == 1


@pytest.mark.parametrize(
    "path", ["/issues/1$", "/issues/1/labels$", "/labels$", "/milestones$", "/requested_reviewers$", "/assignees$"]
)
@pytest.mark.parametrize("kind", _AFTER, ids=lambda kind: kind.name.lower())
def test_what_a_pull_request_gets_beside_its_text_is_made_once(github: GitHubWorld, kind: FaultKind, path: str) -> None:
    github.repository.give("rita")
    draft = github.draft("one")._replace(
        labels=("phase:5",), milestone="Sprint 1", creates_milestone=True, reviewers=("rita",), assignees=("worker",)
    )
    github.server.faults.next(kind, path=path)
    github.forge(github.clockwork().timing).ensure_pull_request(draft)
    pull, state = github.repository.pull(1), github.repository.state
    assert (pull.label_keys, [one.login for one in pull.reviewers]) == (["phase:5"], ["rita"])
    assert [one.title for one in state.milestones.values()] == ["Sprint 1"]
    assert pull.milestone == 1
    assert [one.login for one in pull.assignees] == ["worker"]


@pytest.mark.parametrize("times", [1, 3, 9])
@pytest.mark.parametrize("path", ["/issues/1/labels$", "/issues/1$", "/assignees$", "/requested_reviewers$"])
def test_a_new_one_that_is_not_known_everywhere_yet_is_asked_for_again(
    github: GitHubWorld, path: str, times: int
) -> None:
    clock = github.clockwork()
    github.server.faults.next(FaultKind.NOT_FOUND, path=path, times=times)
    github.repository.give("rita")
    draft = github.draft("one")._replace(
        labels=("phase:5",), milestone="Sprint 1", creates_milestone=True, reviewers=("rita",), assignees=("worker",)
    )
    made = github.forge(clock.timing).ensure_pull_request(draft)
    pull = github.repository.pull(made.number)
    given = [bool(pull.label_keys), pull.milestone is not None, bool(pull.assignees), bool(pull.reviewers)]
    assert given.count(False) == (times > 3)
    assert sum(clock.slept) < 10


@pytest.mark.parametrize("path", ["/issues/1$", "/assignees$", "/labels", "/milestones", "/requested_reviewers$"])
def test_what_the_token_may_not_give_it_goes_without(github: GitHubWorld, path: str) -> None:
    github.server.faults.next(FaultKind.FORBIDDEN, path=path, times=20)
    github.repository.give("rita")
    draft = github.draft("one")._replace(
        labels=("phase:5",), milestone="Sprint 1", creates_milestone=True, reviewers=("rita",), assignees=("worker",)
    )
    made = github.forge(github.clockwork().timing).ensure_pull_request(draft)
    pull = github.repository.pull(made.number)
    given = [bool(pull.label_keys), pull.milestone is not None, bool(pull.assignees), bool(pull.reviewers)]
    assert given.count(False) == 1


def test_labels_that_are_names_of_folders(github: GitHubWorld) -> None:
    forge = github.forge(github.clockwork().timing)
    for name in ("one", "two"):
        made = forge.ensure_pull_request(github.draft(name)._replace(labels=(".", "..", "a/b?c#d%2e", "ü 100%")))
        assert made.labels == (".", "..", "a/b?c#d%2e", "ü 100%")


def test_our_label_in_another_letter_case_is_ours(github: GitHubWorld) -> None:
    with github.server.world.lock:
        make_label(github.repository.state, "Parallel-Workers:Needs-Human")
    forge = github.forge(github.clockwork().timing)
    number = forge.ensure_pull_request(github.draft("one")).number
    forge.ask_for_human(number, "three rounds did not do it")
    assert github.repository.pull(number).label_keys == [NEEDS_HUMAN_LABEL]
    (label,) = github.repository.state.labels.values()
    assert label.name == "Parallel-Workers:Needs-Human"
    assert github.forge().fetch_pull_request(number).labels == (NEEDS_HUMAN_LABEL,)


def test_a_milestone_in_another_letter_case_is_used(github: GitHubWorld) -> None:
    first, second = (
        github.draft(name)._replace(milestone=title, creates_milestone=True)
        for name, title in (("one", "Sprint 1"), ("two", "SPRINT 1"))
    )
    made = [github.forge().ensure_pull_request(draft).milestone for draft in (first, second)]
    assert made == ["Sprint 1", "Sprint 1"]
    assert len(github.repository.state.milestones) == 1


def test_a_base_that_a_person_changed_stays(github: GitHubWorld) -> None:
    draft = github.draft("one")
    forge = github.forge()
    number = forge.ensure_pull_request(draft).number
    github.git(github.clone, "push", "--quiet", str(github.repository.state.git.path), "main:release")
    github.repository.pull(number).base_branch = "release"
    again = forge.ensure_pull_request(draft._replace(title="Better"))
    assert (again.number, again.title, again.base_branch) == (number, "Better", "release")


def test_a_crash_between_push_and_create_and_one_after_it_end_in_one(github: GitHubWorld) -> None:
    draft = github.draft("one")._replace(labels=("type:task",))
    bare = draft._replace(labels=())
    made = github.forge().ensure_pull_request(bare)
    again = github.forge().ensure_pull_request(draft)
    assert (again.number, again.labels) == (made.number, ("type:task",))
    writes = github.server.usage.writes
    third = github.forge().ensure_pull_request(draft)
    # the answer to a label tells no time of it: the next look does
    assert third._replace(updated_at=again.updated_at) == again
    assert github.server.usage.writes == writes, "nothing was left to be changed"


def test_twenty_at_once_with_failing_requests_are_twenty(github: GitHubWorld) -> None:
    drafts = [github.draft(f"task-{number}")._replace(labels=("phase:1", f"n:{number}")) for number in range(20)]
    forge = github.forge()
    kinds = [*_BEFORE, *_AFTER, FaultKind.SLOW]
    github.server.faults.random(7, 0.05, kinds, path="/api/")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(forge.ensure_pull_request, drafts))
    github.server.faults.clear()
    assert len(github.repository.pulls) == len({pull.number for pull in made}) == 20
    assert all(pull.labels == draft.labels for pull, draft in zip(made, drafts, strict=True))


def test_a_label_is_known_in_any_case_and_new_ones_have_a_colour(github: GitHubWorld) -> None:
    forge = github.forge()
    forge.ensure_pull_request(github.draft("one")._replace(labels=("Type:Task", "phase:5", "x" * 80)))
    made = forge.ensure_pull_request(github.draft("two")._replace(labels=("type:task",)))
    assert made.labels == ("Type:Task",)
    colours = {label.name: label.color for label in github.repository.state.labels.values()}
    assert colours["Type:Task"] == "1d76db"
    assert colours["phase:5"] == "5319e7"
    assert set(colours) == {"Type:Task", "phase:5", "x" * 50}


def test_a_missing_milestone_is_left_out_unless_it_is_to_be_made(github: GitHubWorld) -> None:
    forge = github.forge()
    assert forge.ensure_pull_request(github.draft("one")._replace(milestone="Later")).milestone is None
    draft = github.draft("two")._replace(milestone="Later", creates_milestone=True)
    assert forge.ensure_pull_request(draft).milestone == "Later"
    github.repository.state.milestones[1].state = "closed"
    assert github.forge().ensure_pull_request(github.draft("three")._replace(milestone="Later")).milestone == "Later"
    assert len(github.repository.state.milestones) == 1


def test_a_bad_reviewer_is_left_out_and_the_others_are_asked(github: GitHubWorld) -> None:
    github.repository.give("rita")
    draft = github.draft("one")._replace(reviewers=("nobody-here", "rita", "worker"), assignees=("nobody-here",))
    forge = github.forge()
    forge.ensure_pull_request(draft)
    assert [one.login for one in github.repository.pull(1).reviewers] == ["rita"]
    github.repository.review(1, "rita", "APPROVED")
    forge.ensure_pull_request(draft)
    assert github.repository.pull(1).reviewers == [], "who has reviewed is not asked again"


def test_texts_that_are_too_long_are_cut_and_the_marker_stays(github: GitHubWorld) -> None:
    draft = github.draft("one")._replace(title="t" * 400, body="b" * 100_000)
    made = github.forge().ensure_pull_request(draft)
    body = github.repository.pull(1).body or ""
    assert len(made.title) == 256
    assert len(body) <= BODY_MAX_CHARS
    assert find_marker(body) == made.worker == "worker-one"


def test_drafts_where_there_are_none_are_opened_as_ordinary_ones(github: GitHubWorld) -> None:
    github.repository.allow(allow_drafts=False)
    github.forge().ensure_pull_request(github.draft("one")._replace(is_draft=True))
    assert not github.repository.pull(1).is_draft


def test_nothing_to_merge_and_no_access_say_so(github: GitHubWorld) -> None:
    draft = github.draft("one")
    base = github.git(github.clone, "rev-parse", "main")
    github.git(github.clone, "push", "--quiet", str(github.repository.state.git.path), "main:feature/empty")
    with pytest.raises(ForgeError, match="no commits that main has not"):
        github.forge().ensure_pull_request(draft._replace(head_branch="feature/empty", head_sha=base))
    github.token = github.server.token("stranger")
    with pytest.raises(ForgeError, match="no access to the repository") as caught:
        github.forge().ensure_pull_request(draft)
    assert not caught.value.transient
    github.token = "ghp_nonsense"
    with pytest.raises(ForgeError, match="does not accept the token"):
        github.forge().ensure_pull_request(draft)
    github.token = github.repository.give("reader", "read")
    with pytest.raises(ForgeError, match=r"permission|forbids"):
        github.forge().ensure_pull_request(draft)


def _by_hand(github: GitHubWorld, head: str, base: str, title: str) -> Pull:
    """A person opens a pull request."""
    state = github.repository.state
    with github.server.world.lock:
        github.server.refresh(state)
        return open_pull(state, state.owner, head, {"title": title, "body": "By hand.", "base": base})


def test_a_persons_pull_request_keeps_its_words_and_its_base(github: GitHubWorld) -> None:
    draft = github.draft("one")
    github.git(github.clone, "push", "--quiet", str(github.repository.state.git.path), "main:release")
    others = _by_hand(github, draft.head_branch, "release", "Backport")
    forge = github.forge()
    made = forge.ensure_pull_request(draft)
    assert made.number != others.number
    assert (others.base_branch, others.title, others.body) == ("release", "Backport", "By hand.")


def test_one_into_the_same_base_is_joined_and_not_rewritten(github: GitHubWorld) -> None:
    draft = github.draft("one")
    theirs = _by_hand(github, draft.head_branch, "main", "Mine")
    for _ in range(2):
        made = github.forge().ensure_pull_request(draft)
        assert (made.number, made.worker, made.title, made.body) == (theirs.number, draft.worker, "Mine", "By hand.")


def test_what_a_person_changes_in_ours_stays_and_the_rest_goes_on(github: GitHubWorld) -> None:
    draft = github.draft("one")
    pull = github.repository.pull(github.forge().ensure_pull_request(draft).number)
    pull.title = "A better title"
    made = github.forge().ensure_pull_request(draft._replace(title="Do more", body="Second report."))
    assert (made.title, made.body) == ("A better title", "Second report.")
    pull.body = (pull.body or "").replace("Second", "My")
    made = github.forge().ensure_pull_request(draft._replace(body="Third report."))
    assert (made.title, made.body) == ("A better title", "My report.")
