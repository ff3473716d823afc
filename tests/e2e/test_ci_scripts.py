"""CI starts batches and sends events: the exact steps of the action, the workflows and docs/ci.md, on real servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.embedded_server import ServerAddress, begin_server, stop_server
from parallel_workers.locations import DataFolder
from tests.e2e.ci_steps import Action, Job, action, fenced_blocks, script_lines, workflow_step

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq")), reason="curl and jq are not installed; `make test` does, as root"
)
ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "admin:o'p\"en $(sesame)"
NASTY = """project: 'odd "one"'
tasks:
  - id: T-1
    description: "$(touch planted) `touch planted` ${HOME} \\\\ % {{ x }} {% raw %} €\t::error::no"
"""


def _serve(folder: Path, **settings: str) -> tuple[DataFolder, ServerAddress]:
    data = DataFolder(folder)
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("PREFECT_", "PARALLEL_WORKERS_"))]:
            environment.delenv(name)
        environment.setenv("PREFECT_HOME", str(folder / "client"))
        for name, value in settings.items():
            environment.setenv(name, value)
        return data, begin_server(data).wait_ready()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """API address of an embedded server on which everything is registered as `up` does it."""
    folder = tmp_path_factory.mktemp("open-server")
    data, address = _serve(folder)
    try:
        subprocess.run(
            [sys.executable, "-c", "import asyncio, deployments.set_up as s; asyncio.run(s.set_up())"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(ROOT),
                "PREFECT_API_URL": address.api_url,
            },
            cwd=folder,
            check=True,
            capture_output=True,
        )
        yield address.api_url
    finally:
        stop_server(data)


@pytest.fixture(scope="module")
def locked_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """API address of an embedded server that asks for a password and has no deployment."""
    data, address = _serve(tmp_path_factory.mktemp("locked-server"), PREFECT_SERVER_API_AUTH_STRING=PASSWORD)
    try:
        yield address.api_url
    finally:
        stop_server(data)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A CI job with a checkout and a home of its own, and a run id that no other has."""
    return Job(tmp_path, str(uuid.uuid4()))


def _runs(api: str, run_id: str | None = None) -> list[dict[str, Any]]:
    wanted = {"flow_runs": {"id": {"any_": [run_id]}}} if run_id else {}
    answer: list[dict[str, Any]] = httpx.post(f"{api}/flow_runs/filter", json=wanted).raise_for_status().json()
    return answer


def _runs_by_hand(api: str) -> list[dict[str, Any]]:
    """All runs but those that the server makes of the schedules, which it does whenever it comes to it."""
    return [run for run in _runs(api) if not run["auto_scheduled"]]


def _set_state(api: str, run_id: str, **state: str) -> None:
    body = {"state": state, "force": True}
    httpx.post(f"{api}/flow_runs/{run_id}/set_state", json=body).raise_for_status()


def _events(api: str, resource: str) -> list[dict[str, Any]]:
    """Stored events of a resource; the server stores them a moment after it took them."""
    wanted = {"filter": {"resource": {"id": [resource]}}}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found: list[dict[str, Any]] = (
            httpx.post(f"{api}/events/filter", json=wanted).raise_for_status().json()["events"]
        )
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no event of {resource}")


def test_starts_the_batch_with_its_text_unchanged(api: str, job: Job) -> None:
    (job.checkout / "odd batch.yml").write_text(NASTY, encoding="utf-8")

    done = job.run(action(), api, spec_file="odd batch.yml", merge="auto", max_workers="3", repository="x y")

    assert done.returncode == 0, done.stderr
    [run] = _runs(api, done.stdout.strip())
    given = {name: run["parameters"][name] for name in ("spec", "name", "merge", "max_workers", "repository")}
    expected = {"spec": NASTY, "name": "odd batch", "merge": "auto", "max_workers": 3, "repository": "x y"}
    assert given == expected
    assert run["state"]["type"] == "SCHEDULED"
    assert job.outputs()["flow-run-url"] == f"{api.removesuffix('/api')}/runs/flow-run/{run['id']}"
    assert not list(job.checkout.glob("planted"))


def test_pasted_text_is_sent_as_it_is(api: str, job: Job) -> None:
    done = job.run(action(), api, spec=NASTY)

    assert done.returncode == 0, done.stderr
    assert _runs(api, done.stdout.strip())[0]["parameters"]["spec"] == NASTY
    assert not list(job.checkout.glob("planted"))


def test_a_step_that_is_repeated_starts_nothing_more(api: str, job: Job) -> None:
    before = len(_runs_by_hand(api))
    first, again = (job.run(action(), api, spec=NASTY) for _ in range(2))
    other = job.run(action(), api, spec=NASTY + "# another")
    attempt = job.run(action(), api, GITHUB_RUN_ATTEMPT="2", spec=NASTY)
    named = [job.run(action(), api, spec=NASTY + str(n), idempotency_key="k 'x'" + job.run_id) for n in range(2)]

    assert first.stdout == again.stdout
    assert len({first.stdout, other.stdout, attempt.stdout}) == 3
    assert named[0].stdout == named[1].stdout
    assert len(_runs_by_hand(api)) == before + 4


def test_waits_and_ends_by_the_result(api: str, job: Job) -> None:
    run_id = job.run(action(), api, spec="p: 1\n").stdout.strip()
    waiting = job.begin(action(), api, spec="p: 1\n", wait="true")
    time.sleep(1)
    assert waiting.poll() is None
    _set_state(api, run_id, type="FAILED", name="Failed", message="1 of 2 tasks done\n::add-mask::x\x1b[2J")
    stderr = waiting.communicate(timeout=30)[1]

    assert waiting.returncode == 1
    assert "| 1 of 2 tasks done\n| ::add-mask::x[2J\n" in stderr
    assert "the batch ended as Failed" in stderr
    assert job.outputs()["state"] == "Failed"

    _set_state(api, run_id, type="COMPLETED", name="Completed", message="2 of 2 tasks done")
    ended = job.run(action(), api, spec="p: 1\n", wait="true")
    assert (ended.returncode, ended.stdout) == (0, run_id + "\n")


def test_waits_no_longer_than_told(api: str, job: Job) -> None:
    done = job.run(action(), api, spec="p: 2\n", wait="true", wait_seconds="1")
    assert done.returncode == 3
    assert "has not ended within 1 s (last seen: Scheduled)" in done.stderr


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "no batch was given"),
        ({"spec": "a: 1", "spec_file": "b.yml"}, "give one"),
        ({"spec_file": "missing.yml"}, "no such batch file: missing.yml"),
        ({"spec": "a: 1", "max_workers": "3;x"}, "max-workers is no whole number"),
    ],
)
def test_wrong_usage(job: Job, inputs: dict[str, str], said: str) -> None:
    done = job.run(action(), "http://127.0.0.1:9/api", **inputs)
    assert done.returncode == 2
    assert said in done.stderr


def test_parameters_that_the_deployment_refuses(api: str, job: Job) -> None:
    done = job.run(action(), api, spec="a: 1", merge="sometimes")
    assert done.returncode == 1
    assert "does not take these parameters" in done.stderr
    assert "sometimes" in done.stderr


@pytest.mark.parametrize("do", ["start-batch", "send-pull-request-event"])
def test_a_server_that_is_not_there(job: Job, do: str) -> None:
    done = job.run(action(do), "http://127.0.0.1:9/api", **_minimal(do))
    assert done.returncode == 1
    assert "the Prefect server at http://127.0.0.1:9/api cannot be reached: " in done.stderr
    assert "::error title=parallel-workers::" in done.stderr


@pytest.mark.parametrize("do", ["start-batch", "send-pull-request-event"])
@pytest.mark.parametrize("given", ["", "admin:wrong"])
def test_a_wrong_credential(locked_api: str, job: Job, do: str, given: str) -> None:
    done = job.run(action(do), locked_api, prefect_api_auth_string=given, **_minimal(do))
    assert done.returncode == 1
    assert "refuses the credential" in done.stderr


def test_a_server_without_the_deployment(locked_api: str, job: Job) -> None:
    done = job.run(action(), locked_api, prefect_api_auth_string=PASSWORD, spec="a: 1")
    assert done.returncode == 1
    assert "has no deployment run-batch/run-batch" in done.stderr
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("do", ["start-batch", "send-pull-request-event"])
def test_an_address_without_api(api: str, job: Job, do: str) -> None:
    done = job.run(action(do), api.removesuffix("/api"), **_minimal(do))
    assert done.returncode == 1
    assert "/api" in done.stderr.split(api.removesuffix("/api"))[-1]


def _minimal(do: str) -> dict[str, str]:
    if do == "start-batch":
        return {"spec": "a: 1"}
    return {"GITHUB_EVENT_NAME": "pull_request", "event": json.dumps({"pull_request": {"number": 7}})}


@pytest.mark.parametrize(
    ("name", "payload", "kind", "numbers"),
    [
        ("pull_request", {"pull_request": {"number": 12, "title": "$(touch planted)\n::x::"}}, "closed", ["12"]),
        ("pull_request_review", {"pull_request": {"number": 3}, "review": {"body": "`x`"}}, "review", ["3"]),
        ("check_suite", {"check_suite": {"pull_requests": [{"number": 4}, {"number": 5}]}}, "checks", ["4", "5"]),
        ("check_suite", {"check_suite": {"pull_requests": []}}, "checks", []),
    ],
)
def test_sends_the_event(
    api: str, job: Job, name: str, payload: Mapping[str, Any], kind: str, numbers: list[str]
) -> None:
    repository = f"acme/{job.run_id}"
    step = workflow_step("pull-request-event.yml", {"vars.PREFECT_API_URL": api, "secrets.PREFECT_API_AUTH_STRING": ""})
    done = job.run(step, api, GITHUB_EVENT_NAME=name, event=json.dumps(payload), GITHUB_REPOSITORY=repository)

    assert done.returncode == 0, done.stderr
    [event] = _events(api, f"parallel-workers.repository.{repository}")
    assert event["event"] == f"parallel-workers.pull-request.{kind}"
    assert [related["parallel-workers.number"] for related in event["related"]] == numbers
    assert uuid.UUID(event["id"]).version == 4


def test_an_event_that_is_about_no_pull_request(job: Job) -> None:
    done = job.run(action("send-pull-request-event"), "http://127.0.0.1:9/api", GITHUB_EVENT_NAME="push", event="{}")
    assert done.returncode == 2


def test_the_workflow_starts_the_nightly_batch(api: str, job: Job) -> None:
    (job.checkout / "batches").mkdir()
    (job.checkout / "batches" / "nightly.yml").write_text("a: 1\n", encoding="utf-8")
    known = {
        "vars.PREFECT_API_URL": api,
        "secrets.PREFECT_API_AUTH_STRING": "",
        "inputs.spec-file || 'batches/nightly.yml'": "batches/nightly.yml",
        "github.server_url": "https://forge.invalid",
        "github.repository": "acme/shop",
        "inputs.merge": "",
        "inputs.max-workers": "",
        "inputs.wait || 'false'": "false",
    }
    done = job.run(workflow_step("start-batch.yml", known), api)

    assert done.returncode == 0, done.stderr
    parameters = _runs(api, done.stdout.strip())[0]["parameters"]
    assert parameters["name"] == "nightly"
    assert parameters["repository"] == "https://forge.invalid/acme/shop.git"


def test_the_guide_s_gitlab_job(api: str, job: Job) -> None:
    (job.checkout / "batches").mkdir()
    (job.checkout / "batches" / "nightly.yml").write_text(NASTY, encoding="utf-8")
    [block] = [text for language, text in fenced_blocks(ROOT / "docs" / "ci.md") if "before_script" in text]
    script = "\n".join(script_lines(block))

    done = job.shell(
        script,
        PREFECT_API_URL=api,
        PREFECT_API_AUTH_STRING="admin:unused",
        CI_PROJECT_URL="https://forge.invalid/acme/shop",
        CI_JOB_ID=job.run_id,
    )

    assert done.returncode == 0, done.stderr
    run_id, state = done.stdout.split()
    assert state == "Scheduled"
    assert _runs(api, run_id)[0]["parameters"]["spec"] == NASTY


def test_the_guide_s_shell_blocks(api: str, locked_api: str, job: Job) -> None:
    """cron's script twice makes one run; the event arrives; a wrong credential fails both."""
    blocks = [text for language, text in fenced_blocks(ROOT / "docs" / "ci.md") if language == "sh"]
    start, send = blocks
    credential = job.home / ".prefect-credential"
    credential.write_text('user = "admin:wrong"\n', encoding="utf-8")

    started = [job.shell(start, PREFECT_API_URL=api) for _ in range(2)]
    assert [done.returncode for done in started] == [0, 0], started[0].stderr
    assert started[0].stdout == started[1].stdout
    assert _runs(api, started[0].stdout.strip())[0]["parameters"]["spec"] == "/srv/batches/nightly.yml"

    assert job.shell(send, PREFECT_API_URL=api).returncode == 0
    assert _events(api, "parallel-workers.repository.acme/shop")[0]["event"] == "parallel-workers.pull-request.closed"
    assert job.shell(start, PREFECT_API_URL=locked_api).returncode != 0
    assert job.shell(send, PREFECT_API_URL=locked_api).returncode != 0


def test_every_input_of_the_action_is_used() -> None:
    used = {name for do in ("start-batch", "send-pull-request-event") for name in action(do).used()}
    assert used | {"do"} == set(Action.inputs())
