"""Ten pull requests on GitHub that all touch one file, under `auto`: all merge, one update of a branch for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.github_side import GitHubSide, github_side, telling_at_once
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


Batch = Callable[..., Path]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A line for each run of an agent."""
    return tmp_path / "runs"


@pytest.fixture
def batch_of(tmp_path: Path, runs: Path) -> Batch:
    """Writes a batch file with tasks of these numbers."""

    def write(name: str, numbers: Iterable[int]) -> Path:
        shell = AGENT.format(runs=runs, count=COUNT)
        tasks: list[Task] = [{"id": _task(number), "shell": shell} for number in numbers]
        return write_batch(tmp_path / name, tmp_path / "clone", tasks, forge="github", max_workers=COUNT)

    return write


@pytest.fixture
def hub(tmp_path: Path, git: Git) -> Iterator[GitHubSide]:
    """With the file that all pull requests touch, and a check that is green at once."""
    with github_side(tmp_path, git, {"shared.txt": "begin\n"}) as made:
        made.repository.set_ci(lambda _head: [CheckReport("unit")])
        yield made


@pytest.mark.timeout(300)
def test_pull_requests_that_touch_one_file_are_all_merged(
    product: Product, hub: GitHubSide, batch_of: Batch, runs: Path
) -> None:
    spec = batch_of("one-file.yml", range(1, COUNT + 1))
    with telling_at_once(product):
        done = hub.run(product, spec)
    assert done.results() == {_task(number): "merged" for number in range(1, COUNT + 1)}, (done.reasons(), done.stderr)
    updates = _updates_of_merged(hub, runs)
    assert COUNT - 1 <= updates <= 2 * COUNT, "linear in their number"


@pytest.mark.timeout(300)
def test_two_engines_take_turns_on_one_base(product: Product, hub: GitHubSide, batch_of: Batch, runs: Path) -> None:
    specs = [batch_of("odd.yml", range(1, COUNT + 1, 2)), batch_of("even.yml", range(2, COUNT + 1, 2))]
    with telling_at_once(product), ThreadPoolExecutor(len(specs)) as pool:
        ended = list(pool.map(lambda spec: hub.run(product, spec), specs))
    for done in ended:
        assert set(done.results().values()) == {"merged"}, (done.reasons(), done.stderr)
    updates = _updates_of_merged(hub, runs)
    assert COUNT - 1 <= updates <= COUNT + 4, "hardly more than by one engine"


def _task(number: int) -> str:
    return f"T-{number:02}"


def _updates_of_merged(hub: GitHubSide, runs: Path) -> int:
    """How often a branch was brought up to date, by an agent or by GitHub, until all was merged."""
    assert len(hub.pulls()) == COUNT
    merged = hub.git(hub.repository.state.git.path, "show", "main:shared.txt").split()
    assert sorted(merged) == sorted(["begin", *map(_task, range(1, COUNT + 1))])
    reworks = len(runs.read_text().splitlines()) - COUNT
    updates = hub.server.usage.branch_updates
    print(f"{COUNT} pull requests that touch one file: {reworks} reworks, {updates} branch updates")  # noqa: T201
    return reworks + updates
