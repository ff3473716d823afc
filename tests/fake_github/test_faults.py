"""Each kind of fault, as a client meets it."""

from __future__ import annotations

import subprocess
import time

import pytest
import requests
from github import GithubException

from tests.fake_github.faults import FaultKind
from tests.fake_github.hub import Hub

NEW = {"title": "Do it", "head": "feature/a", "base": "main"}


def create(hub: Hub) -> tuple[int, str, requests.structures.CaseInsensitiveDict[str]]:
    answer = requests.post(
        f"{hub.server.api_url}/repos/octo/project/pulls",
        json=NEW,
        headers={"Authorization": f"token {hub.token}"},
        timeout=10,
    )
    return answer.status_code, answer.text, answer.headers


@pytest.fixture
def pushed(hub: Hub) -> Hub:
    hub.push("feature/a")
    return hub


def test_bad_gateway_before(pushed: Hub) -> None:
    pushed.server.faults.next(FaultKind.BAD_GATEWAY, method="POST", path="/pulls$")
    status, text, headers = create(pushed)
    assert (status, headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert text.startswith("<html>")
    assert pushed.repository.pulls == {}
    assert create(pushed)[0] == 201


def test_reset_before(pushed: Hub) -> None:
    pushed.server.faults.next(FaultKind.RESET, method="POST")
    with pytest.raises(requests.ConnectionError):
        create(pushed)
    assert pushed.repository.pulls == {}


def test_a_lost_answer(pushed: Hub) -> None:
    pushed.server.faults.next(FaultKind.LOST, method="POST")
    with pytest.raises(requests.ConnectionError):
        create(pushed)
    assert list(pushed.repository.pulls) == [1]


def test_a_lost_answer_told_as_502(pushed: Hub) -> None:
    pushed.server.faults.next(FaultKind.LOST_502, method="POST")
    assert create(pushed)[0] == 502
    assert create(pushed)[0] == 422


def test_slow(pushed: Hub) -> None:
    pushed.server.faults.slow_seconds = 0.3
    pushed.server.faults.next(FaultKind.SLOW, method="POST")
    began = time.monotonic()
    assert create(pushed)[0] == 201
    assert time.monotonic() - began >= 0.3


def test_cut_short(pushed: Hub) -> None:
    pushed.server.faults.next(FaultKind.CUT_SHORT, method="POST")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        create(pushed)
    assert list(pushed.repository.pulls) == [1]


@pytest.mark.parametrize(
    ("kind", "status", "after"),
    [
        (FaultKind.SECONDARY, 403, "7"),
        (FaultKind.SECONDARY_SILENT, 403, None),
        (FaultKind.TOO_MANY, 429, "7"),
        (FaultKind.TOO_MANY_SILENT, 429, None),
    ],
)
def test_limits(pushed: Hub, kind: FaultKind, status: int, after: str | None) -> None:
    pushed.server.faults.retry_after_seconds = 7
    pushed.server.faults.next(kind, method="POST", times=2)
    assert [create(pushed)[0] for _ in range(3)] == [status, status, 201]
    pushed.server.faults.next(kind, method="POST")
    told = create(pushed)
    assert "secondary rate limit" in told[1]
    assert told[2].get("retry-after") == after


def test_delivered_twice(pushed: Hub) -> None:
    pushed.server.faults.next(FaultKind.DUPLICATE, method="POST")
    assert create(pushed)[0] == 422
    assert list(pushed.repository.pulls) == [1]


def test_a_fault_for_a_later_request(pushed: Hub) -> None:
    pushed.server.faults.next(FaultKind.BAD_GATEWAY, path="/pulls", skip=1)
    assert [create(pushed)[0] for _ in range(3)] == [201, 502, 422]


def test_by_chance_the_same_seed_gives_the_same(pushed: Hub) -> None:
    def statuses() -> list[int]:
        pushed.server.faults.random(7, 0.3, [FaultKind.BAD_GATEWAY, FaultKind.TOO_MANY], path="/pulls")
        return [create(pushed)[0] for _ in range(30)]

    assert create(pushed)[0] == 201
    first = statuses()
    assert {422, 429, 502} == set(first)
    assert statuses() == first
    assert pushed.server.faults.done.total() > 0
    pushed.server.faults.clear()
    assert create(pushed)[0] == 422


def test_a_push_whose_answer_is_lost_has_landed(hub: Hub) -> None:
    hub.push("feature/a")
    hub.git(hub.clone, "commit", "--quiet", "--allow-empty", "--message", "more")
    hub.server.faults.next(FaultKind.LOST, path="git-receive-pack$", method="POST")
    command = ["git", "push", "--quiet", "origin", "feature/a"]
    done = subprocess.run(command, cwd=hub.clone, capture_output=True, check=False)
    assert done.returncode != 0
    assert hub.repository.branches()["feature/a"] == hub.git(hub.clone, "rev-parse", "HEAD")


def test_the_primary_limit(hub: Hub) -> None:
    remote = hub.remote
    hub.server.limits.set("worker", remaining=1, reset_after_seconds=90)
    remote.get_pulls().totalCount  # noqa: B018 (asks the server)
    with pytest.raises(GithubException, match="API rate limit exceeded") as caught:
        remote.get_pulls().totalCount  # noqa: B018
    headers = caught.value.headers or {}
    assert (caught.value.status, headers["x-ratelimit-remaining"], headers["x-ratelimit-limit"]) == (403, "0", "5000")
    assert 88 <= int(headers["x-ratelimit-reset"]) - hub.server.clock.seconds() <= 90
    hub.server.clock.advance(91)
    assert remote.get_pulls().totalCount == 0


def test_all_tokens_of_a_user_share_a_limit(hub: Hub) -> None:
    hub.server.limits.set("worker", remaining=0)
    other = requests.get(
        f"{hub.server.api_url}/user", headers={"Authorization": f"Bearer {hub.server.token('worker')}"}, timeout=5
    )
    assert other.status_code == 403
    ann = requests.get(
        f"{hub.server.api_url}/user", headers={"Authorization": f"Bearer {hub.server.token('ann')}"}, timeout=5
    )
    assert ann.status_code == 200
