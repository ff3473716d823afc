"""Check runs, statuses, logs, refs and accounts."""

from __future__ import annotations

import pytest
import requests
from github import GithubException, UnknownObjectException

from tests.fake_github.ci import Annotation, CheckReport
from tests.fake_github.hub import Hub, client_of


def get(hub: Hub, path: str) -> tuple[int, dict[str, object], str]:
    answer: tuple[int, dict[str, object], str] = hub.client.requester.requestJson("GET", f"{hub.remote.url}{path}")
    return answer


def test_without_any_report(hub: Hub) -> None:
    sha = hub.open("feature/a").head.sha
    checks = hub.client.requester.requestJsonAndCheck("GET", f"{hub.remote.url}/commits/{sha}/check-runs")[1]
    assert (checks["total_count"], checks["check_runs"]) == (0, [])
    status = hub.client.requester.requestJsonAndCheck("GET", f"{hub.remote.url}/commits/{sha}/status")[1]
    assert (status["state"], status["total_count"]) == ("pending", 0)


def test_the_newest_of_each_name_counts(hub: Hub) -> None:
    sha = hub.open("feature/a").head.sha
    hub.repository.set_check(1, "ci", "failure")
    hub.repository.set_check(1, "ci", "success")
    hub.repository.set_check(sha, "lint", None)
    url = f"{hub.remote.url}/commits/{sha}/check-runs"
    _, found = hub.client.requester.requestJsonAndCheck("GET", url)
    assert [(run["name"], run["status"], run["conclusion"]) for run in found["check_runs"]] == [
        ("ci", "completed", "success"),
        ("lint", "in_progress", None),
    ]
    _, every = hub.client.requester.requestJsonAndCheck("GET", url, {"filter": "all"})
    assert every["total_count"] == 3
    hub.repository.set_status(1, "legacy", "success")
    hub.repository.set_status(1, "build", "error")
    _, status = hub.client.requester.requestJsonAndCheck("GET", f"{hub.remote.url}/commits/feature/a/status")
    assert (status["state"], status["total_count"]) == ("failure", 2)


def test_a_check_run_and_its_log(hub: Hub) -> None:
    hub.open("feature/a")
    run = hub.repository.set_check(1, "ci", "failure", log="line 1\nit broke\n")
    assert hub.remote.get_check_run(run.id).conclusion == "failure"
    assert list(hub.remote.get_check_run(run.id).get_annotations()) == []
    status, headers, _ = get(hub, f"/actions/jobs/{run.id}/logs")
    link = str(headers["location"])
    assert status == 302
    assert requests.get(link, timeout=5).text == "line 1\nit broke\n"
    assert hub.token not in link
    assert get(hub, f"/actions/jobs/{hub.repository.set_check(1, 'lint').id}/logs")[0] == 404


def test_the_store_of_logs_refuses_our_credential(hub: Hub) -> None:
    hub.open("feature/a")
    run = hub.repository.set_check(1, "ci", "failure", log="it broke\n")
    link = str(get(hub, f"/actions/jobs/{run.id}/logs")[1]["location"])
    assert requests.get(link, headers={"Authorization": f"token {hub.token}"}, timeout=5).status_code == 400
    assert requests.get(link.replace("sig=", "sig=0"), timeout=5).status_code == 403


def test_a_check_of_another_app_says_it_in_its_output(hub: Hub) -> None:
    hub.open("feature/a")
    told = (Annotation("a.txt", 3, "Not so."),)
    run = hub.repository.report(
        1, CheckReport("lint", "failure", summary="Bad\n1 line", annotations=told, app="linter")
    )
    found = hub.remote.get_check_run(run.id)
    assert (found.output.title, found.output.summary, found.output.annotations_count) == ("Bad", "Bad\n1 line", 1)
    assert [(one.path, one.start_line, one.message) for one in found.get_annotations()] == [("a.txt", 3, "Not so.")]
    assert found.details_url.startswith("https://ci.example.invalid/")
    assert get(hub, f"/actions/jobs/{run.id}/logs")[0] == 404


def test_refs(hub: Hub) -> None:
    sha = hub.open("feature/a").head.sha
    ref = hub.remote.get_git_ref("heads/feature/a")
    assert ref.object.sha == sha
    assert [one.ref for one in hub.remote.get_git_matching_refs("heads/feature")] == ["refs/heads/feature/a"]
    ref.delete()
    assert (hub.remote.get_pull(1).state, hub.remote.get_pull(1).merged) == ("closed", False)
    with pytest.raises(GithubException, match="Reference does not exist") as caught:
        ref.delete()
    assert caught.value.status == 422
    status, _, _ = get(hub, "/git/ref/heads/feature/a")
    assert status == 404


def test_a_branch_with_an_odd_name(hub: Hub) -> None:
    sha = hub.push("feature/ü#%1", {"odd.txt": "o"})
    assert hub.remote.get_git_ref("heads/feature/ü#%1").object.sha == sha


def test_accounts(hub: Hub) -> None:
    assert hub.client.get_user().login == "worker"
    used = hub.server.usage.rest
    overview = hub.client.get_rate_limit()
    assert overview.rate.limit == 5000
    assert hub.server.usage.rest == used
    with pytest.raises(UnknownObjectException):
        hub.client.requester.requestJsonAndCheck("GET", f"{hub.remote.url}/branches/main/protection")


def test_bad_credentials(hub: Hub) -> None:
    hub.server.credentials.revoke(hub.token)
    with pytest.raises(GithubException, match="Bad credentials") as caught:
        hub.client.get_user().login  # noqa: B018 (reads it from the server)
    assert caught.value.status == 401


def test_what_is_not_served_is_recorded(hub: Hub) -> None:
    other = client_of(hub.server, hub.token)
    with pytest.raises(UnknownObjectException):
        other.requester.requestJsonAndCheck("GET", "/orgs/none")
    other.requester.requestJsonAndCheck("GET", "/repos/octo/project/pulls?colour=red")
    assert hub.server.unknown_requests == ["GET /orgs/none"]
    assert hub.server.recordings.unknown_parameters == ["GET /repos/octo/project/pulls?colour"]
    hub.server.unknown_requests.clear()
    hub.server.recordings.unknown_parameters.clear()
    other.close()
