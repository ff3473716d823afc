"""What tests can do to the fake, and that it leaves nothing behind."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest
import requests
from github import GithubException

from tests.e2e.product import wait_until
from tests.fake_github.fixtures import running_fake_github
from tests.fake_github.hub import Git, Hub, open_hub


def test_nothing_is_left_behind(tmp_path: Path, git: Git) -> None:
    before, children = set(threading.enumerate()), set(psutil.Process().children(recursive=True))
    with running_fake_github(tmp_path) as server:
        hub = open_hub(server, tmp_path, git)
        hub.open("feature/a")
        url = f"{server.api_url}/rate_limit"
        sessions = [requests.Session() for _ in range(5)]
        assert [session.get(url, timeout=60).status_code for session in sessions] == [200] * 5
    wait_until(lambda: set(threading.enumerate()) <= before, "every thread has ended")
    wait_until(lambda: set(psutil.Process().children(recursive=True)) <= children, "every process has ended")
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
    for session in sessions:
        session.close()
    hub.client.close()


def test_a_persons_pushes(hub: Hub) -> None:
    hub.open("feature/a")
    sha = hub.repository.push("feature/a", {"by/hand.txt": "h\n"}, "fix: by hand")
    assert hub.remote.get_pull(1).head.sha == sha
    forced = hub.repository.push("feature/a", {"by/hand.txt": None, "other.txt": "o\n"}, force=True)
    assert hub.remote.get_pull(1).head.sha == forced
    hub.git(hub.clone, "fetch", "--quiet")
    assert set(hub.git(hub.clone, "ls-tree", "-r", "--name-only", forced).split()) == {
        "README.md",
        "a.txt",
        "other.txt",
    }
    assert sha not in hub.git(hub.clone, "rev-list", forced).split()


def test_a_renamed_repository_redirects(hub: Hub) -> None:
    hub.push("feature/a")
    remote = hub.remote
    hub.repository.rename("renamed")
    assert hub.client.get_repo("octo/project").full_name == "octo/renamed"
    status, headers, _ = hub.client.requester.requestJson(
        "POST", f"{remote.url}/pulls", input={"title": "t", "head": "feature/a", "base": "main"}
    )
    assert status == 307
    assert str(headers["location"]).endswith(f"/repositories/{remote.id}/pulls")
    assert hub.repository.pulls == {}
    hub.push("feature/b")


def test_lists_lag_behind(hub: Hub) -> None:
    hub.repository.lag_lists(3)
    hub.open("feature/a")
    assert list(hub.remote.get_pulls()) == []
    assert hub.remote.get_pull(1).state == "open"
    hub.server.clock.advance(4)
    assert [pull.number for pull in hub.remote.get_pulls()] == [1]


def test_secondary_limits_are_enforced_when_asked(hub: Hub) -> None:
    hub.server.secondary.enforce(creations_per_minute=2, per_hour=3)
    remote = hub.remote
    for name in ("one", "two"):
        remote.create_label(name, "ededed")
    with pytest.raises(GithubException, match="secondary rate limit") as caught:
        remote.create_label("three", "ededed")
    assert caught.value.status == 403
    assert 55 <= int((caught.value.headers or {})["retry-after"]) <= 61
    hub.server.clock.advance(61)
    remote.create_label("three", "ededed")
    with pytest.raises(GithubException):
        remote.create_label("four", "ededed")
    assert hub.server.secondary.refused == 2
    assert len(list(remote.get_labels())) == 3


def test_usage_is_counted(hub: Hub) -> None:
    hub.server.usage.reset()
    hub.open("feature/a")
    hub.remote.get_pull(1).merge()
    usage = hub.server.usage
    assert (usage.rest, usage.writes, usage.creations, usage.pushes) == (5, 2, 1, 1)


def test_a_credential_in_a_url_is_noticed(hub: Hub) -> None:
    assert hub.server.leaks() == []
    requests.get(f"{hub.server.api_url}/rate_limit?access_token={hub.token}", timeout=5)
    assert len(hub.server.leaks()) == 1
    hub.server.recordings.unknown_parameters.clear()


def test_many_threads_at_once(hub: Hub) -> None:
    for number in range(8):
        hub.push(f"feature/{number}")
    hub.git(hub.clone, "checkout", "--quiet", "main")
    remote, failed = hub.remote, []

    def work(number: int) -> None:
        try:
            pull = remote.create_pull(title="t", head=f"feature/{number}", base="main")
            remote.get_pull(pull.number).merge(merge_method="squash")
        except GithubException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert all(pull.merged_at for pull in hub.repository.pulls.values())
    assert hub.git(hub.clone, "ls-remote", "origin", "main").split()[0] == hub.repository.branches()["main"]
