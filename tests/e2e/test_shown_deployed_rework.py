"""Deployed workers wait without a process, go back to work when there is a reason, and are woken for nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.hosted import Hosted
from tests.e2e.product import wait_until, write_batch
from tests.prefect.conflicts import runs_of, settling_agent

WORKER_STATES = ("NEEDS_INIT", "WORKING", "PR_OPEN", "MERGED")


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    """Server, Prefect worker and watcher; afterwards no process of them may be left."""
    hosted = Hosted(tmp_path)
    try:
        yield hosted
    finally:
        hosted.down()
    assert hosted.programs() == []


def history(hosted: Hosted, run_id: str) -> list[str]:
    states = [each["name"] for each in hosted.api("GET", f"/flow_run_states/?flow_run_id={run_id}")]
    return [name for name, _ in groupby(name for name in states if name in WORKER_STATES)]


@pytest.mark.timeout(600)
def test_suspended_workers_are_woken_for_a_conflict_and_keep_what_a_person_pushed(
    hosted: Hosted, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository, runs = make_repository("shop", {"shared.txt": "begin\n"}, bare_remote=True), tmp_path / "runs"
    spec = write_batch(
        tmp_path / "shop.yml", repository, [{"id": "T", "shell": settling_agent(runs)}], merge="manual", rework_rounds=1
    )
    hosted.start("run-batch", {"spec": str(spec)})
    run_id = str(hosted.wait_for_states({"T": "PR_OPEN"})["T"]["flow_run_id"])
    hosted.wait_for_run(run_id, ("PAUSED", "PR_OPEN"))
    person = tmp_path / "person"
    git(tmp_path, "clone", "--quiet", str(tmp_path / "shop.git"), str(person))
    git(person, "switch", "--quiet", "feature/t")
    theirs = commit(person, git, {"reviewed.txt": "mine too\n"}, "feature/t")
    git(person, "switch", "--quiet", "main")
    commit(person, git, {"shared.txt": "begin\nnewer\n"}, "main")
    wait_until(lambda: runs_of(runs, "T") == 2, "the agent settles the conflict")
    hosted.wait_for_run(run_id, ("PAUSED", "PR_OPEN"))
    wait_until(lambda: "newer" in show(git, person, "shared.txt"), "what it settled is pushed")
    assert theirs in git(person, "rev-list", "origin/feature/t").split()

    commit(person, git, {"shared.txt": "begin\nnewest\n"}, "main")
    wait_until(lambda: "a person is needed" in hosted.workers()["T"]["reason"] or asked(hosted), "a person is asked")
    hosted.wait_for_run(run_id, ("PAUSED", "PR_OPEN"))
    before = len(hosted.api("GET", f"/flow_run_states/?flow_run_id={run_id}"))
    time.sleep(5)
    assert len(hosted.api("GET", f"/flow_run_states/?flow_run_id={run_id}")) == before, "woken for nothing"
    assert runs_of(runs, "T") == 2

    handed = hosted.call("pr", "hand-back", "1", "--repository", str(repository))
    assert handed.exit_code == 0, handed.stderr
    wait_until(lambda: runs_of(runs, "T") == 3, "handed back, the agent settles the conflict")
    hosted.wait_for_run(run_id, ("PAUSED", "PR_OPEN"))
    wait_until(lambda: "newest" in show(git, person, "shared.txt"), "what it settled is pushed")
    hosted.merge(repository, [1])
    hosted.wait_for_run(run_id, ("COMPLETED", "MERGED"))
    assert history(hosted, run_id) == ["NEEDS_INIT", *(["WORKING", "PR_OPEN"] * 3), "MERGED"]
    assert git(tmp_path / "shop.git", "branch", "--list", "feature/*") == ""


@pytest.mark.timeout(600)
def test_deployed_pull_requests_that_all_touch_one_file_take_turns(
    hosted: Hosted, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository, runs, count = make_repository("shop", {"shared.txt": "begin\n"}, bare_remote=True), tmp_path / "runs", 3
    tasks = [{"id": f"T-{number}", "shell": settling_agent(runs, count)} for number in range(1, count + 1)]
    spec = write_batch(tmp_path / "shop.yml", repository, tasks, merge="auto", max_workers=count)
    batch = hosted.start("run-batch", {"spec": str(spec)})
    hosted.wait_for_run(batch, ("COMPLETED", "Completed"), 240)
    names = [str(task["id"]) for task in tasks]
    assert sorted(git(tmp_path / "shop.git", "show", "main:shared.txt").split()) == sorted(["begin", *names])
    assert sum(runs_of(runs, name) - 1 for name in names) == count - 1


def commit(checkout: Path, git: Git, files: dict[str, str], branch: str) -> str:
    git(checkout, "pull", "--quiet", "--ff-only", "origin", branch)
    for name, text in files.items():
        (checkout / name).write_text(text)
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "feat: theirs")
    git(checkout, "push", "--quiet", "origin", f"HEAD:{branch}")
    return git(checkout, "rev-parse", "HEAD")


def show(git: Git, checkout: Path, file: str) -> str:
    git(checkout, "fetch", "--quiet", "origin")
    return git(checkout, "show", f"origin/feature/t:{file}")


def asked(hosted: Hosted) -> bool:
    return "parallel-workers:needs-human" in str(hosted.workers()["T"]["reason"])
