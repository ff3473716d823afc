"""A person who has nothing but the UI: the main way of docs/run-from-the-ui.md, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.browser import PROGRAM, person_at
from tests.e2e.hosted import Hosted
from tests.e2e.product import write_batch


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    """Server, Prefect worker and watcher."""
    hosted = Hosted(tmp_path)
    try:
        yield hosted
    finally:
        hosted.down()


@pytest.mark.skipif(PROGRAM is None, reason="no Chromium; Debian: apt-get install chromium")
@pytest.mark.timeout(400)
def test_a_batch_is_run_from_the_ui_alone(
    hosted: Hosted, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository, flag = make_repository("shop"), tmp_path / "licence"
    untouched = git(repository, "for-each-ref")
    broken = f"project: shop\nrepository: {repository}\ntasks:\n  - {{id: DONE, descripton: x}}\n"
    tasks = [
        {"id": "DONE", "description": "Write down the prices"},
        {"id": "FAILS", "shell": f"test -e '{flag}' || {{ echo no licence was found; exit 4; }}; echo x > f.txt"},
        {"id": "SLOW", "shell": "echo still thinking; sleep 300"},
    ]
    good = write_batch(tmp_path / "shop.yml", repository, tasks, max_workers=3).read_text(encoding="utf-8")
    with person_at(hosted.api_url.removesuffix("/api")) as person:
        person.start("run-batch", spec=broken)
        person.sees("unknown key 'descripton' (did you mean 'description'?)")
        assert git(repository, "for-each-ref") == untouched

        person.start("run-batch", spec=good)
        person.sees("starting FAILS")
        person.sees_in_list("SLOW", "WORKING")
        person.sees_in_list("DONE", "MERGED")
        person.sees_in_list("FAILS", "Failed")

        person.open_run("DONE")
        person.open_artifact("feature/done")
        person.follow_link("Write down the prices")
        person.sees_heading("Write down the prices")

        person.open_run("DONE")
        person.open_artifact("worker-", "(#1)")
        person.sees("1 commit ahead of")

        person.open_run("FAILS")
        person.sees("no licence was found")
        flag.touch()
        person.choose("Retry", "Retry")
        person.open_run("SLOW")
        person.sees("still thinking")
        person.choose("Cancel", "Cancel Flow Run")
        person.sees_in_list("FAILS", "MERGED")
        person.sees_in_list("SLOW", "Cancelled")

        person.open_newest_run("run-batch")
        person.sees("2 of 3 tasks done")
        person.open_artifact("tasks done")
        person.sees("cancelled")
        person.open_newest_run("run-batch")
        person.open_artifact("Timeline of batch")
        person.sees_picture("Timeline of the tasks")
    assert git(repository, "show", "main:f.txt") == "x"
