"""Title and body of a pull request: complete, within GitHub's limits, and without a secret."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from parallel_workers.messages import labels, pull_request_body, pull_request_title
from parallel_workers.pull_request_marker import find_marker, marker
from parallel_workers.pull_request_text import MAX_BODY, MAX_TITLE
from parallel_workers.spec import AgentProfile, Metadata, TaskOrder, TaskSpec
from parallel_workers.work_report import GateResult, WorkCommit, WorkReport

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")
TOKEN = "ghp_" + "a_1B" * 9
ORDER = TaskOrder(
    worker="worker-0a1b2c3d",
    batch="shop/sprint",
    project="shop",
    repository="/src/shop",
    task=TaskSpec(id="TASK-1", description="Add login.\n\nWith tokens."),
    base_branch="main",
    branch="feature/task-1",
    worktree="/trees/shop/TASK-1",
    agent=AgentProfile(command=("true",)),
)
WORK = WorkReport(
    base_sha="a" * 40,
    head_sha="b" * 40,
    commits=(WorkCommit(sha="b" * 40, subject="feat: login"),),
    diff_stat=" login.py | 4 +---\n 1 file changed, 1 insertion(+), 3 deletions(-)\n",
    gates=(GateResult(name="make test", passed=True, seconds=75.0),),
    rounds=2,
    agent_seconds=3700,
)


def of(description: str = "x", epic: str | None = None) -> TaskOrder:
    task = ORDER.task.model_copy(update={"description": description})
    return ORDER.model_copy(update={"task": task, "metadata": Metadata(epic=epic)})


def test_the_whole_body() -> None:
    order = of(ORDER.task.description, epic="#33")
    assert pull_request_body(order, WORK) == (
        "Add login.\n\nWith tokens.\n\nEpic: #33\n\n"
        "## Commits\n- `bbbbbbbbb` feat: login\n\n"
        "## Changes\n```\n login.py | 4 +---\n 1 file changed, 1 insertion(+), 3 deletions(-)\n```\n\n"
        "## Gates\n| gate | result | time |\n|---|---|---|\n| make test | passed | 1 min 15 s |\n\n"
        "## How it was made\nTask `TASK-1` of batch `shop/sprint`, done by agent `code-author` in 2 rounds, "
        "1 h 1 min at work: branch `feature/task-1` from `aaaaaaaaaaaa` into `main`. "
        "Opened by parallel-workers, worker `worker-0a1b2c3d`.\n\n"
        "<!-- parallel-workers worker=worker-0a1b2c3d -->\n"
    )


def test_what_there_is_not_is_left_out() -> None:
    bare = WorkReport(base_sha="a" * 40, head_sha="b" * 40)
    text = pull_request_body(ORDER, bare)
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## How it was made"]
    assert "in 1 round: branch" in text
    assert "Epic" not in text


@pytest.mark.parametrize(
    ("epic", "line"),
    [
        ("#33", "Epic: #33"),
        ("shop/web#33", "Epic: shop/web#33"),
        ("https://github.invalid/shop/web/issues/33", "Epic: https://github.invalid/shop/web/issues/33"),
        ("Log*in*\n for <all>", "Epic: Log\\*in\\* for \\<all\\>"),
    ],
)
def test_the_epic_is_a_line_that_links_and_closes_nothing(epic: str, line: str) -> None:
    assert f"\n\n{line}\n\n" in pull_request_body(of(epic=epic), WORK)


def test_no_secret_is_left_in_any_part() -> None:
    known = "hunter_2*x"
    wild = WORK.model_copy(
        update={
            "commits": (WorkCommit(sha="b" * 40, subject=f"feat: use {TOKEN} and {known}"),),
            "diff_stat": f" {TOKEN}.txt | 1 +\n {known} | 1 +\n 2 files changed\n",
            "gates": (GateResult(name=f"curl {known}", passed=False, seconds=1, output=f"bad {TOKEN}"),),
        }
    )
    text = pull_request_body(of(f"Use {TOKEN} with {known}", epic=f"of {known}"), wild, [known])
    title = pull_request_title(of(f"Use {TOKEN} with {known}").task, [known])
    for said in (text, title):
        assert "a_1B" not in said.replace("\\", "")
        assert "hunter" not in said
    assert title == "TASK-1: Use [redacted] with [redacted]"


def test_long_lists_are_cut_with_a_line_that_says_so() -> None:
    stat = "".join(f" file{number}.py | 1 +\n" for number in range(5000)) + " 5000 files changed\n"
    long = WORK.model_copy(
        update={
            "commits": tuple(WorkCommit(sha=f"{n:040}", subject=f"feat: {n} " + "x" * 80) for n in range(2000)),
            "diff_stat": stat,
            "gates": tuple(GateResult(name=f"gate {n}", passed=True, seconds=1) for n in range(900)),
        }
    )
    text = pull_request_body(of("d" * 20_000), long)
    assert len(text) <= MAX_BODY
    for what, many in (("commits", 2000), ("files", 5000), ("gates", 900)):
        (line,) = (
            line for line in text.splitlines() if line.removeprefix("- ").startswith("… not shown") and what in line
        )
        assert f" of {many} {what}" in line
    assert " 5000 files changed\n```" in text, "the sum is shown whatever is cut"
    assert "d" * 20_000 in text
    assert text.endswith(f"\n\n{marker(ORDER.worker)}\n")


def test_a_gate_that_says_too_much_is_left_out_and_a_commit_is_cut() -> None:
    gate = GateResult(name="lint", passed=False, seconds=1, output="E501\n" * 5000)
    long = WORK.model_copy(
        update={"commits": (WorkCommit(sha="b" * 40, subject="x" * 70_000),), "gates": (*WORK.gates, gate)}
    )
    text = pull_request_body(ORDER, long)
    assert f"## Commits\n- `bbbbbbbbb` {'x' * 300}\n\n" in text
    assert "| make test | passed | 1 min 15 s |\n\n… not shown: 1 of 2 gates\n" in text


def test_a_description_that_is_too_long_is_cut_before_anything_else_is_lost() -> None:
    task = TaskSpec.model_construct(**{**ORDER.task.__dict__, "description": "```\n" + "d\n" * 50_000})
    text = pull_request_body(ORDER.model_copy(update={"task": task}), WORK)
    assert MAX_BODY - 1100 < len(text) <= MAX_BODY
    assert "d\n```\n\n… the rest of the description is left out: too long for a pull request\n" in text
    assert "## How it was made" in text


@pytest.mark.parametrize(
    "opened", ["```\ncode", "~~~~ python\ncode\n```\n~~~", "text <!-- aside", "a\n   ```sh\n```\n```"]
)
def test_what_a_description_leaves_open_swallows_nothing(opened: str) -> None:
    parsed = PARSER.parse(pull_request_body(of(opened), WORK))
    assert sum(token.type == "heading_open" for token in parsed) == 4
    assert any(token.type == "html_block" and marker(ORDER.worker) in token.content for token in parsed)


def test_the_title_is_one_line_within_the_limit() -> None:
    task = ORDER.task.model_copy(update={"description": "Add\tlogin.\nMore."})
    assert pull_request_title(task) == "TASK-1: Add login"
    long = pull_request_title(task.model_copy(update={"description": "word " * 100}))
    assert len(long) <= MAX_TITLE
    assert long.endswith("…")


def test_labels_are_phase_type_and_the_tasks_own_each_once() -> None:
    task = ORDER.task.model_copy(update={"labels": ("api", "type:task", "api")})
    order = ORDER.model_copy(update={"task": task, "metadata": Metadata(phase=5)})
    assert labels(order) == ("phase:5", "type:task", "api")
    assert labels(ORDER) == ("type:task",)


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=200).filter(str.strip) | st.sampled_from(["```\n" * 3000, "<!--" * 5000, "password=x " * 1800]),
    st.text(max_size=200) | st.just("_" * 4_000),
    st.text(max_size=200) | st.just(" a | 1 +\n" * 9000),
)
def test_any_body_is_within_the_limit_and_names_its_worker(description: str, subject: str, stat: str) -> None:
    work = WORK.model_copy(update={"commits": (WorkCommit(sha="c" * 40, subject=subject),) * 9, "diff_stat": stat})
    text = pull_request_body(of(description), work)
    assert len(text) <= MAX_BODY
    assert find_marker(text) == ORDER.worker
    assert len(pull_request_title(of(description).task)) <= MAX_TITLE
