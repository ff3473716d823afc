"""Twenty tasks on a GitHub where one request in twenty fails: twenty pull requests, all merged, no secret anywhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.github_side import GitHubSide, github_side, telling_at_once
from tests.e2e.prefect_view import read_logs, read_run
from tests.e2e.product import WRITE_FILE, Ended, Product, Task, write_batch
from tests.e2e.secret_watch import files_with, watching_arguments
from tests.fake_github.ci import CheckReport
from tests.fake_github.faults import FaultKind

COUNT = 20
SIX_WAYS = (
    FaultKind.BAD_GATEWAY,
    FaultKind.RESET,
    FaultKind.LOST,
    FaultKind.CUT_SHORT,
    FaultKind.SECONDARY,
    FaultKind.TOO_MANY,
)
# What a server of git's does: it knows no secondary limit.
FIVE_WAYS = tuple(way for way in SIX_WAYS if way is not FaultKind.SECONDARY)
DUMP = """
{{ env; cat "$(git rev-parse --git-common-dir)/config"; git config --list; }} > '{seen}'/"$PARALLEL_WORKERS_TASK_ID"
"""


@pytest.mark.timeout(300)
def test_twenty_tasks_are_merged_though_requests_fail(product: Product, tmp_path: Path, git: Git) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    shell = DUMP.format(seen=seen) + WRITE_FILE
    tasks: list[Task] = [{"id": f"T-{n:02}", "shell": shell, "labels": [f"area:{n % 3}"]} for n in range(1, COUNT + 1)]
    settings = {
        "forge": "github",
        "max_workers": 6,
        "pull_request": {"create_milestone": True},
        "metadata": {"sprint": "Sprint 1", "phase": 5, "epic": "#33"},
    }
    spec = write_batch(tmp_path / "faults.yml", tmp_path / "clone", tasks, **settings)
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub:
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        fail_one_in_twenty(hub)
        with telling_at_once(product), watching_arguments(hub.token) as arguments:
            done = hub.run(product, spec)
        hub.server.faults.clear()
        failed, total = hub.server.faults.done, len(hub.server.requests)
        assert failed.keys() == set(SIX_WAYS)
        share = failed.total() / total
        print(f"{COUNT} tasks, {total} requests, {share:.1%} failed: {dict(failed)}")  # noqa: T201 - what is shown
        assert share > 0.04
        assert done.results() == {str(task["id"]): "merged" for task in tasks}, (done.reasons(), done.stderr)
        check_pull_requests(hub)
        assert arguments == []
        check_no_secret(hub, product, done, seen)


def fail_one_in_twenty(hub: GitHubSide) -> None:
    """By chance at the API, each way once at least; of git's requests every twentieth."""
    faults = hub.server.faults
    faults.random(seed=4, share=0.05, kinds=SIX_WAYS, path="^/api/")
    for turn, way in enumerate(SIX_WAYS):
        faults.next(way, path="^/api/", skip=15 * turn + 10)
    for turn, way in enumerate(FIVE_WAYS * 2):
        faults.next(way, path=r"\.git/", skip=20 * turn + 5)


def check_pull_requests(hub: GitHubSide) -> None:
    """Exactly one for each task, dressed as it should be, and merged once."""
    pulls, state = hub.pulls(), hub.repository.state
    assert len(pulls) == COUNT
    assert len({pull.head_branch for pull in pulls}) == COUNT
    (milestone,) = state.milestones.values()
    assert milestone.title == "Sprint 1"
    for pull in pulls:
        number = int(pull.head_branch.rpartition("-")[2])
        names = {state.labels[key].name for key in pull.label_keys}
        assert names == {"phase:5", "type:task", f"area:{number % 3}"}, pull.head_branch
        assert pull.milestone == milestone.number
        assert pull.merged_at
        assert "#33" in (pull.body or "")
    assert len(hub.merges()) == COUNT
    assert set(hub.repository.branches()) == {"main"}


def check_no_secret(hub: GitHubSide, product: Product, done: Ended, seen: Path) -> None:
    """Not in what it says, what it stores (the database with parameters and logs included), or what agents see."""
    dumps = {file.name: file.read_text() for file in seen.iterdir()}
    assert len(dumps) == COUNT
    assert {name for name, text in dumps.items() if "GITHUB_TOKEN" in text or hub.token in text} == set()
    assert hub.token not in done.stdout + done.stderr
    assert files_with(hub.token, product.home, hub.clone, seen) == []
    runs = [task["flow_run_id"] for task in done.data["tasks"]]
    run, logs = read_run(product, runs[0]), read_logs(product, runs[0])
    assert run.parameters
    assert logs
    for text in (str(run.parameters), str(run.labels), *logs):
        assert hub.token not in text
    assert Counter(pull.author.login for pull in hub.pulls()) == {"worker": COUNT}
