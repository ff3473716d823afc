"""Every text a person reads in a commit, a pull request, an artifact or a state message."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Collection, Iterable, Sequence

from parallel_workers import pull_request_text
from parallel_workers.markdown import fenced
from parallel_workers.redaction import redact
from parallel_workers.spec import TaskOrder, TaskSpec
from parallel_workers.work_report import WorkReport
from parallel_workers.worktrees import EnsuredWorktree

_COMMIT_TYPES = {"test-author": "test", "iac-engineer": "build"}
_MAX_SUBJECT = 72
_MAX_WHY = 1_000
_MAX_SAID = 4_000


def headline(task: TaskSpec) -> str:
    """The first line of the task's description, without a full stop."""
    lines = task.description.strip().splitlines()
    return (lines[0] if lines else task.id).strip().rstrip(".")


def run_name(task: TaskSpec) -> str:
    """The name of the worker's flow run in the Prefect UI."""
    return f"{task.id} · {task.agent}"


def phase_commit(order: TaskOrder) -> str:
    """Conventional Commit message for what the agent left uncommitted."""
    task = order.task
    prefix = f"{_COMMIT_TYPES.get(task.agent, 'feat')}({task.id.lower()}): "
    subject = shorten(prefix + headline(task), _MAX_SUBJECT)
    return f"{subject}\n\nTask: {task.id}\nAgent: {task.agent}\nWorker: {order.worker}\n"


def engines_killed(runs: Iterable[str]) -> str:
    """What is said when runs are found on the server that no engine runs any more."""
    names = ", ".join(sorted(runs))
    return f"an earlier engine was killed; what it left running counts as crashed, and can run again: {names}"


def taken_up_again(state: str) -> str:
    """What is said of a worker that an earlier run has begun."""
    return f"taken up again; an earlier run left it {state.upper() or 'without a state'}"


def has_worktree(worktree: EnsuredWorktree) -> str:
    """Where a worker works, and whether that was there before."""
    return f"{worktree.branch} in {worktree.path}{', as an earlier run left it' if worktree.adopted else ''}"


def agent_runs_again(order: TaskOrder) -> str:
    """What is said when an agent runs that may have run before."""
    return f"{order.task.agent} is at work; an earlier run was ended before that was done"


def work_was_kept(order: TaskOrder) -> str:
    """What is said when an agent need not run."""
    return f"{order.task.agent} need not run again: its work is done, and kept"


_WAYS_OUT = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there: your quota is used up",
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "let your user write there",
    errno.EPERM: "let your user write there",
}


def refused_by_the_machine(error: OSError) -> str:
    """Why a worker could not go on, when its machine is to blame, and what to do about it."""
    way_out = _WAYS_OUT.get(error.errno or 0, "see to that")
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}; what the worker has done is kept. {way_out.capitalize()}, and run again"


def agent_left_behind(ended: int) -> str:
    """What is said when a worker is taken up whose engine was killed while its agent ran."""
    left = f"{ended} processes of its agent were still there, and were ended" if ended else "its agent has ended"
    return f"an earlier engine was killed while its agent ran; {left}"


def shorten(text: str, limit: int) -> str:
    """`text` cut to at most `limit` characters, with an ellipsis where something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def pull_request_title(task: TaskSpec, secrets: Collection[str] = ()) -> str:
    """Task id and headline, on one line, as long as forges allow at most."""
    title = " ".join(redact(f"{task.id}: {headline(task)}", secrets).split())
    return shorten(title, pull_request_text.MAX_TITLE)


def labels(order: TaskOrder) -> tuple[str, ...]:
    """`phase:<n>`, `type:task` and the task's own, each once."""
    phase = (f"phase:{order.metadata.phase}",) if order.metadata.phase is not None else ()
    return tuple(dict.fromkeys((*phase, "type:task", *order.task.labels)))


def pull_request_body(order: TaskOrder, work: WorkReport, secrets: Collection[str] = ()) -> str:
    """What was asked for, what changed, the evidence, and how it was made; see `pull_request_text`.

    `secrets` are values known to be secret; what looks like a secret is taken out anyway.
    """
    return pull_request_text.body(order, work, secrets)


def merged(order: TaskOrder, number: int, sha: str | None) -> str:
    """State message of a worker that is done."""
    return f"#{number} is merged into {order.base_branch}" + (f" as {sha[:9]}" if sha else "")


def overdue(order: TaskOrder, number: int) -> str:
    """Why a worker whose pull request nobody merged is given up."""
    days = order.review_timeout / 86400
    span = f"{days:g} days" if days >= 1 else f"{order.review_timeout:g} s"
    return f"nobody merged #{number} within {span} (review_timeout); its work is kept in #{number}"


def rework_failed(reason: str) -> str:
    """Why a person is asked when a worker could not do what it went back to work for."""
    return f"could not do anything about this: {reason}"


def rework_refused(reason: str) -> str:
    """Why a person is asked when the agent found that nothing has to be changed."""
    return f"the agent changed nothing about this: {reason}"


def asks_for_person(why: str, said: str = "", secrets: Collection[str] = ()) -> str:
    """What is said on a pull request when a person is needed, and the words of who could not do it.

    Both may hold what others wrote: they are without secrets, bounded, and in a code block, where nobody is mentioned.
    """
    parts = [_without_secrets(why, _MAX_WHY, secrets), _without_secrets(said, _MAX_SAID, secrets)]
    return "A person is needed here.\n\n" + fenced("\n\n".join(part for part in parts if part))


def _without_secrets(text: str, limit: int, secrets: Collection[str]) -> str:
    return shorten(redact(text, secrets).strip(), limit)


def begun_in_foreground(workers: Sequence[tuple[str, str]]) -> str:
    """Why a deployed batch does not begin: `workers` are task and worker ids that a foreground run left."""
    named = ", ".join(f"{task} ({worker})" for task, worker in workers)
    return (
        f"`parallel-workers run` began {named} and has not finished: go on with it, "
        "or forget them with `parallel-workers state remove WORKER` and start the batch again"
    )


def closed_before(order: TaskOrder, number: int) -> str:
    """Why a worker whose pull request a person closed is not carried on."""
    return (
        f"#{number} was closed without being merged; its work is kept on {order.branch}. "
        f"To do the task again: parallel-workers state remove {order.worker}"
    )


def how_to_go_on(command: Sequence[str], folder: str | None = None) -> str:
    """What to tell a person whose run was stopped: a line to paste. `folder` is where `command` has to be run."""
    pasted = shlex.join(command)
    if folder is not None:
        pasted = f"cd {shlex.quote(folder)} && {pasted}"
    return f"Stopped; nothing is lost. Go on with: {pasted}"
