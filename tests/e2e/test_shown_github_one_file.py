"""Ten pull requests on GitHub that all touch one file, under `auto`: all merge, one update of a branch for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.github_side import github_side, telling_at_once
from tests.e2e.product import Product, Task, write_batch
from tests.fake_github.ci import CheckReport

COUNT = 10
# All begin from one base: the first ten agents end together. In a conflict the lines of both sides are kept.
AGENT = r"""
echo "$PARALLEL_WORKERS_TASK_ID" >> '{runs}'
while [ "$(wc -l < '{runs}')" -lt {count} ]; do sleep 0.05; done
if git diff --name-only --diff-filter=U | grep -q .; then
  grep -vE '^(<<<<<<<|=======|>>>>>>>)' shared.txt > kept.tmp; mv kept.tmp shared.txt
else
  echo "$PARALLEL_WORKERS_TASK_ID" >> shared.txt
fi
"""


@pytest.mark.timeout(300)
def test_pull_requests_that_touch_one_file_are_all_merged(product: Product, tmp_path: Path, git: Git) -> None:
    runs = tmp_path / "runs"
    shell = AGENT.format(runs=runs, count=COUNT)
    tasks: list[Task] = [{"id": f"T-{number:02}", "shell": shell} for number in range(1, COUNT + 1)]
    spec = write_batch(tmp_path / "one-file.yml", tmp_path / "clone", tasks, forge="github", max_workers=COUNT)
    with github_side(tmp_path, git, {"shared.txt": "begin\n"}) as hub:
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        with telling_at_once(product):
            done = hub.run(product, spec)
        assert done.results() == {str(task["id"]): "merged" for task in tasks}, (done.reasons(), done.stderr)
        assert len(hub.pulls()) == COUNT
        merged = hub.git(hub.repository.state.git.path, "show", "main:shared.txt").split()
        assert sorted(merged) == sorted(["begin", *(str(task["id"]) for task in tasks)])
        reworks = len(runs.read_text().splitlines()) - COUNT
        updates = hub.server.usage.branch_updates
        print(f"{COUNT} pull requests that touch one file: {reworks} reworks, {updates} branch updates")  # noqa: T201
        assert COUNT - 1 <= reworks + updates <= 2 * COUNT, "linear in their number"
