"""What a run leaves to read: the report of a worker, and the table of a batch, as the Prefect UI shows them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from parallel_workers.change_report import commit_list, diff_stat, gate_table
from parallel_workers.durations import duration
from parallel_workers.markdown import code, escaped, fenced, link, one_line, quoted
from parallel_workers.messages import headline, shorten
from parallel_workers.progress import BatchOutcome
from parallel_workers.pull_requests import PullRequest, PullRequestState
from parallel_workers.remote_urls import local_path
from parallel_workers.spec import MergePolicy, TaskOrder
from parallel_workers.work_report import WorkReport

_MAX_REASON = 160
_SUCCESSES = frozenset({"merged", "no_change"})
_LINKS_IN_DESCRIPTION = 50


def worker_report(order: TaskOrder, work: WorkReport, pull_request: PullRequest | None) -> str:
    """The Markdown report of a worker. It reads well while its pull request is open, and after the merge.

    A list of sections, each complete in itself and left out when it has nothing to say.
    """
    sections = (
        ("", _standing(order, work, pull_request)),
        ("Task", quoted(order.task.description)),
        ("Evidence", _evidence(order, work)),
        ("Commits", commit_list(work)),
        ("Changes", diff_stat(work)),
        ("Gates", gate_table(work)),
        ("Agent", _agent(order, work)),
        ("Look at it", _look(order, work, pull_request)),
    )
    written = [f"## {title}\n\n{text}" if title else text for title, text in sections if text]
    return "\n\n".join([f"# {escaped(f'{order.task.id}: {headline(order.task)}')}", *written]) + "\n"


def _standing(order: TaskOrder, work: WorkReport, pull_request: PullRequest | None) -> str:
    if pull_request is None:
        return f"**No change needed:** {escaped(work.no_change_reason or 'the agent gave no reason')}"
    shown = link(f"#{pull_request.number} {pull_request.title}", pull_request.url)
    base = code(order.base_branch)
    match pull_request.state:
        case PullRequestState.MERGED:
            sha = f" as {code(pull_request.merge_sha[:9])}" if pull_request.merge_sha else ""
            return f"**Merged** into {base}{sha}: {shown}"
        case PullRequestState.CLOSED:
            return f"**Closed** without being merged: {shown}"
        case PullRequestState.OPEN:
            by = "a person" if order.merge is MergePolicy.MANUAL else "parallel-workers"
            return f"**Pull request** into {base}, to be merged by {by}: {shown}"


def _evidence(order: TaskOrder, work: WorkReport) -> str:
    """Why the work counts as done."""
    if work.no_change_reason is not None:
        return f"- the agent ended well and said that nothing needs to change\n- {_gates_held(work)}"
    commits = _counted(len(work.commits), "commit")
    return (
        f"- {commits} ahead of {code(order.base_branch)}, {code(work.base_sha[:9])} to {code(work.head_sha[:9])}\n"
        f"- {_counted(work.files_changed, 'file')} changed: {_counted(work.insertions, 'line')} added, "
        f"{work.deletions} removed\n- {_gates_held(work)}"
    )


def _gates_held(work: WorkReport) -> str:
    if not work.gates:
        return "no gates were asked for"
    held = sum(gate.passed for gate in work.gates)
    return f"{held} of {_counted(len(work.gates), 'gate')} passed, in round {work.rounds}"


def _agent(order: TaskOrder, work: WorkReport) -> str:
    """One row per figure, so that more can join."""
    figures = {
        "rounds": str(work.rounds),
        "time at work": duration(work.agent_seconds),
        "CPU time": duration(work.cpu_seconds),
        "peak memory": f"{work.peak_memory_bytes / 2**20:.0f} MiB",
        "lines of output": f"{work.output_lines:,}",
    }
    return f"| agent | {code(order.task.agent)} |\n|---|---|\n" + "\n".join(
        f"| {name} | {figure} |" for name, figure in figures.items()
    )


def _look(order: TaskOrder, work: WorkReport, pull_request: PullRequest | None) -> str:
    """Commands that work before and after the merge, as long as git keeps the commits."""
    if not work.commits:
        return ""
    span = f"{work.base_sha[:12]}..{work.head_sha[:12]}"
    if local_path(order.repository) is not None:
        here = f"git -C {shlex.quote(order.repository)}"
        return fenced(f"{here} log --patch {span}\n{here} diff --stat {span}", "sh")
    merged = pull_request is not None and pull_request.state is PullRequestState.MERGED
    branch = order.base_branch if merged else order.branch
    fetch = f"git fetch {shlex.quote(order.repository)} {shlex.quote(branch)}"
    return f"In a clone of {code(order.repository)}:\n\n" + fenced(f"{fetch}\ngit log --patch {span}", "sh")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def batch_rows(outcome: BatchOutcome) -> list[dict[str, str]]:
    """The table of a batch: a row per task in spec order, for a UI that shows cells as text or as Markdown."""
    return [
        {
            "task": task.task_id,
            "result": task.result.replace("_", " "),
            "time": duration(task.seconds) if task.seconds else "",
            "reason": _plain(shorten(one_line(task.reason), _MAX_REASON)),
            "pull request": task.pr_url or "",
        }
        for task in outcome.tasks
    ]


def _plain(text: str) -> str:
    """The same to the eye; a word joiner keeps HTML, links and pictures from being such where cells are Markdown."""
    return re.sub(r"<(?=[a-zA-Z/!?])|\](?=[(\[])", lambda opening: opening.group() + "\u2060", text)


def batch_summary(outcome: BatchOutcome) -> str:
    """How a batch ended, in one Markdown paragraph with a link to each pull request."""
    done = sum(task.result in _SUCCESSES for task in outcome.tasks)
    said = f"{done} of {_counted(len(outcome.tasks), 'task')} done in {duration(outcome.seconds)}"
    others = ", ".join(_others(outcome))
    links = [link(task.task_id, task.pr_url) for task in outcome.tasks if task.pr_url]
    more = f" and {len(links) - _LINKS_IN_DESCRIPTION} more" if len(links) > _LINKS_IN_DESCRIPTION else ""
    pull_requests = f" Pull requests: {', '.join(links[:_LINKS_IN_DESCRIPTION])}{more}." if links else ""
    return f"Batch {escaped(outcome.batch)}: {said}{f'; {others}' if others else ''}.{pull_requests}"


def _others(outcome: BatchOutcome) -> Iterator[str]:
    for result in sorted({task.result for task in outcome.tasks} - _SUCCESSES):
        yield f"{sum(task.result == result for task in outcome.tasks)} {escaped(result)}"
