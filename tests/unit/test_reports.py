"""Reports as Markdown: what they tell, and that text from agents and users stays text, asked of a real parser."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from parallel_workers.durations import duration
from parallel_workers.markdown import code, escaped, fenced, link, one_line, quoted
from parallel_workers.messages import pull_request_body
from parallel_workers.progress import BatchOutcome, TaskOutcome
from parallel_workers.pull_request_marker import marker
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.reports import batch_rows, batch_summary, worker_report
from parallel_workers.spec import AgentProfile, TaskOrder, TaskSpec
from parallel_workers.work_report import GateResult, WorkCommit, WorkReport

HOSTILE = "a `b` **c** | <img src=x> [d](http://e.example)\n```\n# f\n- g\n\n~~~\n1. h &lt; \\"
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tokens(markdown: str) -> list[Token]:
    """Every token of the text, those inside of paragraphs included."""
    return [inner for token in PARSER.parse(markdown) for inner in (token, *(token.children or ()))]


def kinds(markdown: str) -> set[str]:
    return {token.type for token in tokens(markdown)}


def read(markdown: str) -> str:
    """The text as a person reads it."""
    return "".join(token.content for token in tokens(markdown) if token.type in {"text", "text_special", "code_inline"})


def order(repository: str = "/src/shop", description: str = "Add login.\n\nWith tokens.") -> TaskOrder:
    return TaskOrder(
        worker="worker-0a1b2c3d",
        batch="shop/sprint",
        project="shop",
        repository=repository,
        task=TaskSpec(id="TASK-1", description=description),
        base_branch="main",
        branch="feature/task-1",
        worktree="/trees/shop/TASK-1",
        agent=AgentProfile(command=("true",)),
    )


def work(text: str = "feat: login", gate: str = "make test") -> WorkReport:
    return WorkReport(
        base_sha="a" * 40,
        head_sha="b" * 40,
        commits=(WorkCommit(sha="b" * 40, subject=text),),
        files_changed=2,
        insertions=1,
        deletions=3,
        diff_stat=f" {text} | 4 +---\n",
        gates=(GateResult(name=gate, passed=True, seconds=75.0),),
        rounds=2,
        agent_seconds=3700,
        cpu_seconds=12.4,
        peak_memory_bytes=300 * 2**20,
        output_lines=1234,
    )


def pull(state: PullRequestState, title: str = "TASK-1: Add login") -> PullRequest:
    url = "http://127.0.0.1:4200/pulls/shop/3"
    sha = "c" * 40 if state is PullRequestState.MERGED else None
    return PullRequest(3, url, "w", title, "", state, "feature/task-1", "b" * 40, "main", merge_sha=sha)


def test_the_report_of_an_open_pull_request() -> None:
    report = worker_report(order(), work(), pull(PullRequestState.OPEN))
    assert report.startswith(
        "# TASK-1: Add login\n\n**Pull request** into `main`, to be merged by a person: [#3 TASK-1"
    )
    assert "](http://127.0.0.1:4200/pulls/shop/3)" in report
    headings = [line for line in report.splitlines() if line.startswith("## ")]
    assert headings == [
        f"## {name}" for name in ["Task", "Evidence", "Commits", "Changes", "Gates", "Agent", "Look at it"]
    ]
    assert "- 1 commit ahead of `main`" in report
    assert "- 2 files changed: 1 line added, 3 removed" in report
    assert "- 1 of 1 gate passed, in round 2" in report
    assert "| make test | passed | 1 min 15 s |" in report
    assert "| time at work | 1 h 1 min |" in report
    assert "| peak memory | 300 MiB |" in report
    assert "git -C /src/shop log --patch aaaaaaaaaaaa..bbbbbbbbbbbb" in report


@pytest.mark.parametrize(
    ("state", "said"),
    [(PullRequestState.MERGED, "**Merged** into `main` as `ccccccccc`:"), (PullRequestState.CLOSED, "**Closed**")],
)
def test_the_report_says_how_the_pull_request_ended(state: PullRequestState, said: str) -> None:
    assert said in worker_report(order(), work(), pull(state))


def test_without_a_change_the_report_says_why_and_leaves_out_what_there_is_not() -> None:
    done = WorkReport(base_sha="a" * 40, head_sha="a" * 40, no_change_reason="it is *there*")
    report = worker_report(order(), done, None)
    assert "**No change needed:** it is \\*there\\*" in report
    assert "## Commits" not in report
    assert "## Gates" not in report
    assert "## Look at it" not in report
    assert "no gates were asked for" in report


def test_a_repository_named_by_url_is_looked_at_from_any_clone() -> None:
    url = "https://git.example/shop.git"
    assert f"git fetch {url} feature/task-1\n" in worker_report(order(url), work(), pull(PullRequestState.OPEN))
    assert f"git fetch {url} main\n" in worker_report(order(url), work(), pull(PullRequestState.MERGED))


def test_hostile_words_change_nothing_about_the_layout() -> None:
    tame = worker_report(order(), work(), pull(PullRequestState.OPEN))
    wild = worker_report(order(description=HOSTILE), work(HOSTILE, gate=HOSTILE), pull(PullRequestState.OPEN, HOSTILE))
    assert [t.tag for t in tokens(wild) if t.type == "heading_open"] == [
        t.tag for t in tokens(tame) if t.type == "heading_open"
    ]
    assert kinds(wild) - kinds(tame) <= {"text_special", "hardbreak"}
    assert sum(t.type == "link_open" for t in tokens(wild)) == 1
    body = pull_request_body(order(), work(HOSTILE, gate=HOSTILE)).replace(marker(order().worker), "")
    assert not kinds(body) & {"html_inline", "html_block", "link_open", "image"}


def test_a_failed_gate_shows_its_last_output() -> None:
    failed = GateResult(name="lint", passed=False, seconds=1, output="E501 ``` too long")
    report = worker_report(order(), work().model_copy(update={"gates": (failed,)}), None)
    assert "| lint | **failed** | 1.0 s |" in report
    assert "````\nE501 ``` too long\n````" in report


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text(alphabet="`*_[]()<>|~&#-+=.!1 \\\n\thtp:/a;", max_size=30)))
def test_escaped_text_is_read_as_it_was_written(text: str) -> None:
    shown = escaped(text)
    assert kinds(shown) <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
    assert read(shown) == one_line(text)
    assert kinds(f"| {shown} | x |\n|---|---|\n| {shown} | x |") & {"table_open"}
    assert sum(token.type == "td_open" for token in tokens(f"| a | b |\n|---|---|\n| {shown} | {code(text)} |")) == 2
    assert {token.type for token in PARSER.parse(fenced(text))} == {"fence"}
    assert not kinds(quoted(text)) & {
        "html_inline",
        "html_block",
        "link_open",
        "image",
        "heading_open",
        "fence",
        "em_open",
    }


def test_only_what_a_browser_opens_becomes_a_link() -> None:
    assert link("a]b", "http://x.example/(y) z") == "[a\\]b](http://x.example/%28y%29%20z)"
    assert "link_open" not in kinds(link("a", "javascript:alert(1)"))
    assert link("#3", "/srv/pulls/3.html") == "#3 (`/srv/pulls/3.html`)"


def outcome(*tasks: TaskOutcome) -> BatchOutcome:
    return BatchOutcome("sprint-1", tasks, 125.0)


def test_the_table_of_a_batch_has_what_a_person_asks_for_in_spec_order() -> None:
    merged = TaskOutcome("B", "w1", "merged", "#1 is merged", "http://x.example/1", 61.0)
    broken = TaskOutcome("A", "w2", "failed", "gate failed:\n<b>see</b> [log](http://y.example) " + "x" * 500)
    rows = batch_rows(outcome(merged, broken))
    assert [list(row) for row in rows] == [["task", "result", "time", "reason", "pull request"]] * 2
    assert list(rows[0].values()) == ["B", "merged", "1 min 1 s", "#1 is merged", "http://x.example/1"]
    assert "\n" not in rows[1]["reason"]
    assert len(rows[1]["reason"]) < 200
    assert not kinds(rows[1]["reason"]) & {"html_inline", "link_open"}
    assert batch_rows(outcome(TaskOutcome("C", "w", "no_change", "")))[0]["result"] == "no change"


def test_the_summary_of_a_batch_counts_and_links() -> None:
    merged = TaskOutcome("B", "w1", "merged", "", "http://x.example/1", 61.0)
    said = batch_summary(outcome(merged, TaskOutcome("A", "w2", "failed", ""), TaskOutcome("C", "w3", "skipped", "")))
    assert said == (
        "Batch sprint-1: 1 of 3 tasks done in 2 min 5 s; 1 failed, 1 skipped. Pull requests: [B](http://x.example/1)."
    )
    many = batch_summary(outcome(*[merged] * 60))
    assert many.count("](") == 50
    assert many.endswith(" and 10 more.")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (7260, "2 h 1 min"),
        (93600, "1 d 2 h"),
    ],
)
def test_durations_are_said_in_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said
