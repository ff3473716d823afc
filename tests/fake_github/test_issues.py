"""Labels, milestones, assignees, reviewers and comments, through PyGithub."""

from __future__ import annotations

import pytest
from github import GithubException, UnknownObjectException
from github.Issue import Issue

from tests.fake_github.hub import Hub


def issue(hub: Hub) -> Issue:
    return hub.remote.get_issue(1)


def test_labels_milestone_and_assignees_in_one_request(hub: Hub) -> None:
    hub.open("feature/a")
    hub.repository.give("ann", "read")
    milestone = hub.remote.create_milestone("Sprint 7")
    before = hub.server.usage.writes
    hub.client.requester.requestJsonAndCheck(
        "PATCH",
        f"{hub.remote.url}/issues/1",
        input={"labels": ["phase:5", "Type:Task"], "milestone": milestone.number, "assignees": ["ann", "nobody"]},
    )
    assert hub.server.usage.writes - before == 1
    pull = hub.remote.get_pull(1)
    assert [(label.name, label.color) for label in pull.labels] == [("phase:5", "ededed"), ("Type:Task", "ededed")]
    assert pull.milestone.title == "Sprint 7"
    assert [user.login for user in pull.assignees] == ["ann"]
    assert (milestone.update(), milestone.open_issues) == (True, 1)


def test_labels_are_known_without_case(hub: Hub) -> None:
    hub.open("feature/a")
    hub.remote.create_label("Phase:5", "0e8a16", "a phase")
    issue(hub).add_to_labels("phase:5", "other")
    assert [label.name for label in issue(hub).labels] == ["Phase:5", "other"]
    assert hub.remote.get_label("PHASE:5").color == "0e8a16"
    assert [label.name for label in issue(hub).get_labels()] == ["Phase:5", "other"]
    issue(hub).remove_from_labels("phase:5")
    assert [label.name for label in issue(hub).labels] == ["other"]
    with pytest.raises(UnknownObjectException, match="Not Found"):
        hub.remote.get_label("gone")
    with pytest.raises(GithubException, match="Label does not exist"):
        issue(hub).remove_from_labels("phase:5")
    assert [label.name for label in hub.remote.get_labels()] == ["other", "Phase:5"]


@pytest.mark.parametrize(("name", "code"), [("phase:5", "already_exists"), ("x" * 51, "custom")])
def test_labels_that_cannot_be_made(hub: Hub, name: str, code: str) -> None:
    hub.remote.create_label("Phase:5", "0e8a16")
    with pytest.raises(GithubException) as caught:
        hub.remote.create_label(name, "0e8a16")
    assert caught.value.data["errors"][0]["code"] == code


def test_a_milestone_exists_once(hub: Hub) -> None:
    made = hub.remote.create_milestone("Sprint 7", state="closed")
    with pytest.raises(GithubException) as caught:
        hub.remote.create_milestone("Sprint 7")
    assert caught.value.data["errors"][0]["code"] == "already_exists"
    assert list(hub.remote.get_milestones()) == []
    assert [one.number for one in hub.remote.get_milestones(state="all")] == [made.number]


def test_an_unknown_milestone_is_refused(hub: Hub) -> None:
    hub.open("feature/a")
    with pytest.raises(GithubException) as caught:
        hub.client.requester.requestJsonAndCheck("PATCH", f"{hub.remote.url}/issues/1", input={"milestone": 9})
    assert (caught.value.status, caught.value.data["errors"][0]["field"]) == (422, "milestone")


def test_one_bad_reviewer_fails_the_whole(hub: Hub) -> None:
    pull = hub.open("feature/a")
    hub.repository.give("ann", "write")
    with pytest.raises(GithubException, match="collaborator"):
        pull.create_review_request(reviewers=["ann", "nobody"])
    with pytest.raises(GithubException, match="pull request author"):
        pull.create_review_request(reviewers=["worker"])
    assert [user.login for user in pull.get_review_requests()[0]] == []
    pull.create_review_request(reviewers=["ann"])
    assert [user.login for user in pull.get_review_requests()[0]] == ["ann"]
    hub.repository.review(1, "ann", "COMMENTED", "I see.")
    assert [user.login for user in pull.get_review_requests()[0]] == []


def test_reviews_and_threads(hub: Hub) -> None:
    pull = hub.open("feature/a")
    review = hub.repository.review(1, "ann", "CHANGES_REQUESTED", "No.")
    thread = hub.repository.comment_thread(1, "robot", "a.txt", 1, "A typo.")
    hub.repository.reply(1, thread, "ann", "Indeed.")
    assert [(one.user.login, one.state) for one in pull.get_reviews()][:2] == [
        ("ann", "CHANGES_REQUESTED"),
        ("robot", "COMMENTED"),
    ]
    said = list(pull.get_review_comments())
    assert [(one.path, one.line, one.body) for one in said] == [("a.txt", 1, "A typo."), ("a.txt", 1, "Indeed.")]
    assert said[1].in_reply_to_id == said[0].id
    hub.repository.dismiss(1, review)
    assert next(iter(pull.get_reviews())).state == "DISMISSED"


def test_comments_are_not_made_one(hub: Hub) -> None:
    hub.open("feature/a")
    issue(hub).create_comment("Same.")
    issue(hub).create_comment("Same.")
    assert [comment.body for comment in issue(hub).get_comments()] == ["Same.", "Same."]
    assert issue(hub).comments == 2
    with pytest.raises(GithubException):
        issue(hub).create_comment(" ")


def test_what_moves_updated_at_and_what_does_not(hub: Hub) -> None:
    pull = hub.open("feature/a")
    first = pull.updated_at
    hub.server.clock.advance(10)
    hub.repository.set_check(1, "ci", "failure")
    hub.repository.set_status(1, "legacy", "error")
    assert hub.remote.get_pull(1).updated_at == first
    hub.repository.review(1, "ann", "APPROVED")
    assert hub.remote.get_pull(1).updated_at != first


def test_a_wrong_type_in_a_body_is_refused(hub: Hub) -> None:
    hub.open("feature/a")
    with pytest.raises(GithubException) as caught:
        hub.client.requester.requestJsonAndCheck("PATCH", f"{hub.remote.url}/issues/1", input={"labels": 5})
    assert caught.value.status == 422
