"""The fake says nothing that GitHub would not."""

from __future__ import annotations

import subprocess

import pytest
import requests
from github import GithubException

from tests.fake_github.hub import Hub


def test_an_answer_that_is_not_as_published_is_not_sent(hub: Hub) -> None:
    hub.remote.create_label("odd", "ededed")
    hub.repository.state.labels["odd"].color = 5  # type: ignore[assignment]
    with pytest.raises(GithubException, match="not as published"):
        hub.remote.get_label("odd")
    (said,) = hub.server.recordings.invalid_answers
    assert "color" in said
    hub.server.recordings.invalid_answers.clear()


def test_a_mistake_of_the_fake_is_recorded(hub: Hub) -> None:
    hub.open("feature/a")
    hub.repository.pull(1).label_keys.append("gone")
    with pytest.raises(GithubException) as caught:
        hub.remote.get_pull(1)
    assert caught.value.status == 500
    assert "KeyError" in hub.server.recordings.failures.pop()


def test_an_unknown_key_of_a_body_is_recorded(hub: Hub) -> None:
    hub.open("feature/a")
    hub.client.requester.requestJsonAndCheck("PATCH", f"{hub.remote.url}/issues/1", input={"label": ["x"]})
    (said,) = hub.server.recordings.unknown_parameters
    assert said.endswith("body label")
    hub.server.recordings.unknown_parameters.clear()


def test_a_public_repository_is_read_by_anyone_and_written_by_no_one(hub: Hub) -> None:
    hub.repository.state.is_private = False
    url = f"{hub.server.api_url}/repos/octo/project"
    seen = requests.get(url, timeout=5)
    assert (seen.status_code, seen.headers["x-ratelimit-limit"]) == (200, "60")
    assert requests.post(f"{url}/labels", json={"name": "x"}, timeout=5).status_code == 401
    assert requests.post(hub.server.graphql_url, json={"query": "{ viewer { login } }"}, timeout=5).status_code == 401
    command = ["git", "-c", "credential.helper=", "ls-remote", hub.repository.clone_url, "main"]
    done = subprocess.run(command, cwd=hub.clone, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == hub.repository.branches()["main"]


def test_a_deleted_account_has_no_author(hub: Hub) -> None:
    hub.open("feature/a")
    hub.repository.comment_thread(1, "ghost", "a.txt", 1, "Boo.")
    query = (
        'query { repository(owner: "octo", name: "project") { pullRequest(number: 1) { reviews(first: 5) { nodes {'
        " author { login } } } reviewThreads(first: 5) { nodes { comments(first: 5) { nodes { author { login } } } } }"
        " } } }"
    )
    _, body = hub.client.requester.graphql_query(query, {})
    found = body["data"]["repository"]["pullRequest"]
    assert found["reviews"]["nodes"] == [{"author": None}]
    assert found["reviewThreads"]["nodes"][0]["comments"]["nodes"] == [{"author": None}]
    _, reviews = hub.client.requester.requestJsonAndCheck("GET", f"{hub.remote.url}/pulls/1/reviews")
    assert reviews[0]["user"] is None


def test_histories_that_share_nothing_conflict(hub: Hub) -> None:
    hub.open("feature/a")
    tree = hub.git(hub.clone, "rev-parse", "feature/a^{tree}")
    alone = hub.git(hub.clone, "commit-tree", tree, "-m", "alone")
    hub.git(hub.clone, "push", "--quiet", "--force", "origin", f"{alone}:feature/a")
    assert hub.known(1).mergeable_state == "dirty"


def test_the_fake_is_its_own_proxy(hub: Hub) -> None:
    answer = requests.get("http://api.example.invalid/api/v3/rate_limit", proxies={"http": hub.server.url}, timeout=5)
    assert answer.status_code == 200
    assert hub.server.requests[-1].target == "http://api.example.invalid/api/v3/rate_limit"


def test_a_request_without_a_user_agent_is_forbidden(hub: Hub) -> None:
    answer = requests.get(f"{hub.server.api_url}/rate_limit", headers={"User-Agent": ""}, timeout=5)
    assert answer.status_code == 403
