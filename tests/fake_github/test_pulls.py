"""Pull requests over REST, with real PyGithub."""

from __future__ import annotations

import pytest
from github import GithubException, UnknownObjectException

from tests.fake_github.hub import Hub, client_of


def test_mergeable_is_null_on_the_first_read_after_each_push(hub: Hub) -> None:
    number = hub.open("feature/a").number
    assert hub.remote.get_pull(number).mergeable is None
    known = hub.remote.get_pull(number)
    assert (known.mergeable, known.mergeable_state, known.commits, known.changed_files) == (True, "clean", 1, 1)
    assert known.merge_commit_sha
    hub.push("feature/a", {"b.txt": "b"}, start="feature/a")
    assert hub.remote.get_pull(number).mergeable is None
    assert hub.remote.get_pull(number).mergeable is True
    hub.git(hub.clone, "checkout", "--quiet", "main")
    hub.push("main", {"main.txt": "m"})
    assert hub.remote.get_pull(number).mergeable is None


def test_a_conflict_is_dirty(hub: Hub) -> None:
    number = hub.open("feature/a", {"same.txt": "a\n"}).number
    hub.push("main", {"same.txt": "b\n"})
    known = hub.known(number)
    assert (known.mergeable, known.mergeable_state) == (False, "dirty")


def test_a_second_pull_request_of_a_branch_is_refused(hub: Hub) -> None:
    hub.open("feature/a")
    with pytest.raises(GithubException) as caught:
        hub.remote.create_pull(title="again", head="feature/a", base="main")
    assert caught.value.status == 422
    assert caught.value.data["errors"][0]["message"] == "A pull request already exists for octo:feature/a."
    hub.repository.close(1)
    assert hub.remote.create_pull(title="again", head="feature/a", base="main").number == 2


@pytest.mark.parametrize(
    ("head", "base", "told"),
    [("main", "main", "No commits between main and main"), ("gone", "main", "head"), ("feature/a", "gone", "base")],
)
def test_what_cannot_be_opened(hub: Hub, head: str, base: str, told: str) -> None:
    hub.push("feature/a")
    with pytest.raises(GithubException) as caught:
        hub.remote.create_pull(title="t", head=head, base=base)
    fault = caught.value.data["errors"][0]
    assert caught.value.status == 422
    assert told in {fault.get("message"), fault.get("field")}


def test_the_head_filter_without_an_owner_is_ignored(hub: Hub) -> None:
    hub.open("feature/a")
    hub.open("feature/b")
    assert [pull.number for pull in hub.remote.get_pulls(head="feature/a")] == [2, 1]
    assert [pull.number for pull in hub.remote.get_pulls(head="octo:feature/a")] == [1]
    assert list(hub.remote.get_pulls(head="other:feature/a")) == []


def test_filters_and_order(hub: Hub) -> None:
    for name in "abc":
        hub.open(f"feature/{name}")
    hub.repository.close(2)
    hub.server.clock.advance(5)
    hub.remote.get_pull(1).edit(title="newer")
    assert [pull.number for pull in hub.remote.get_pulls(state="closed")] == [2]
    every = hub.remote.get_pulls(state="all", sort="updated", direction="desc")
    assert [pull.number for pull in every] == [1, 3, 2]
    assert [pull.number for pull in hub.remote.get_pulls(sort="created", direction="asc")] == [1, 3]
    assert list(hub.remote.get_pulls(base="other")) == []


def test_a_thousand_open_ones_in_pages(hub: Hub) -> None:
    hub.repository.seed(1000)
    repository = hub.remote
    before = hub.server.usage.rest
    assert len({pull.number for pull in repository.get_pulls()}) == 1000
    assert hub.server.usage.rest - before == 10
    assert repository.get_pulls().totalCount == 1000


def test_an_unchanged_page_is_not_modified_and_free(hub: Hub) -> None:
    hub.open("feature/a")
    url = "/repos/octo/project/pulls?state=all&sort=updated&direction=desc"
    requester = hub.client.requester
    _, headers, _ = requester.requestJson("GET", url)
    left = hub.server.limits.window("worker", "core").remaining
    status, again, body = requester.requestJson("GET", url, headers={"If-None-Match": headers["etag"]})
    assert (status, body, again["etag"]) == (304, "", headers["etag"])
    assert hub.server.limits.window("worker", "core").remaining == left
    hub.repository.set_check(1, "ci", "failure")
    assert requester.requestJson("GET", url, headers={"If-None-Match": headers["etag"]})[0] == 304
    hub.repository.close(1)
    assert requester.requestJson("GET", url, headers={"If-None-Match": headers["etag"]})[0] == 200


def test_an_etag_depends_on_the_token(hub: Hub) -> None:
    url = "/repos/octo/project/pulls"
    _, headers, _ = hub.client.requester.requestJson("GET", url)
    other = client_of(hub.server, hub.repository.give("somebody"))
    assert other.requester.requestJson("GET", url, headers={"If-None-Match": headers["etag"]})[0] == 200
    other.close()


def test_closing_editing_and_reopening(hub: Hub) -> None:
    pull = hub.open("feature/a")
    pull.edit(title="other", body="text", state="closed")
    assert (hub.remote.get_pull(1).state, hub.remote.get_pull(1).merged) == ("closed", False)
    pull.edit(state="open")
    assert hub.remote.get_pull(1).title == "other"
    pull.edit(state="closed")
    hub.push("feature/a", {"other.txt": "forced"}, "--force")
    with pytest.raises(GithubException, match="force-pushed"):
        pull.edit(state="open")


def test_drafts(hub: Hub) -> None:
    hub.push("feature/a")
    assert hub.remote.create_pull(title="t", head="feature/a", base="main", draft=True).draft
    assert hub.known(1).mergeable_state == "draft"
    hub.repository.allow(allow_drafts=False)
    hub.push("feature/b")
    with pytest.raises(GithubException, match="Draft pull requests are not supported"):
        hub.remote.create_pull(title="t", head="feature/b", base="main", draft=True)


def test_who_may_not_see_a_private_repository_gets_404(hub: Hub) -> None:
    stranger = client_of(hub.server, hub.server.token("stranger"))
    with pytest.raises(UnknownObjectException):
        stranger.get_repo("octo/project")
    stranger.close()


def test_who_may_only_read_gets_403_and_sees_no_merge_settings(hub: Hub) -> None:
    hub.push("feature/a")
    reader = client_of(hub.server, hub.repository.give("reader", "read"))
    repository = reader.get_repo("octo/project")
    assert "allow_auto_merge" not in repository.raw_data
    assert hub.remote.raw_data["allow_auto_merge"] is False
    with pytest.raises(GithubException) as caught:
        repository.create_pull(title="t", head="feature/a", base="main")
    assert caught.value.status == 403
    assert (caught.value.headers or {})["x-accepted-github-permissions"] == "pull_requests=write"
    reader.close()
