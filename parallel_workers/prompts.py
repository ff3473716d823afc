"""What an agent is told, and the environment it is told it in. Pure: the caller writes files and starts programs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from parallel_workers.environment import SecretPolicy, filter_environment
from parallel_workers.spec import Metadata, TaskOrder

VARIABLE_PREFIX = "PARALLEL_WORKERS_"
RESULT_LINE = "PARALLEL_WORKERS_RESULT: no-change-needed"
FIRST_PORT, PORT_COUNT = 20000, 10000


def render_prompt(order: TaskOrder, instructions: str, feedback: str | None = None) -> str:
    """The whole prompt of one worker: role, task, rules, gates, how to finish.

    `feedback` is what a gate, a check or a reviewer said of the work so far; it comes last, where it is read best.
    """
    sections = (
        instructions.strip() or _PLAIN_ROLE,
        _task_section(order),
        _rules_section(order),
        _gates_section(order),
        _FINISH,
        _feedback_section(feedback),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def worker_port(worker: str) -> int:
    """A port for the worker's own servers, in 20000..29999; always the same for the same worker.

    Workers seldom get the same one, but may: it is a suggestion, not a reservation.
    """
    return FIRST_PORT + int.from_bytes(hashlib.sha256(worker.encode()).digest()[:4]) % PORT_COUNT


def worker_environment(
    order: TaskOrder, host_environment: Mapping[str, str], policy: SecretPolicy, prompt_file: Path, port: int
) -> dict[str, str]:
    """The complete environment of a worker's agent: what the policy lets pass, and what the worker is.

    Grants are the policy's for this agent and the profile's own `env`.
    """
    granted = {*policy.granted_to(order.task.agent), *order.agent.env}
    kept = filter_environment(host_environment, policy, granted).kept
    own = {
        "TASK_ID": order.task.id,
        "WORKER_ID": order.worker,
        "DESCRIPTION": order.task.description,
        "AGENT": order.task.agent,
        "BRANCH": order.branch,
        "BASE_BRANCH": order.base_branch,
        "WORKTREE": order.worktree,
        "PROMPT_FILE": str(prompt_file),
        "PORT": str(port),
    }
    return kept | {f"{VARIABLE_PREFIX}{name}": value for name, value in own.items()}


def _task_section(order: TaskOrder) -> str:
    lines = [f"# Your task: {order.task.id}", "", order.task.description.strip()]
    if order.task.prompt.strip():
        lines += ["", order.task.prompt.strip()]
    planning = _planning(order.metadata)
    if planning:
        lines += ["", planning]
    return "\n".join(lines)


def _planning(metadata: Metadata) -> str:
    """The batch's metadata on one line; '' when there is none."""
    known = {name.replace("_", " "): value for name, value in metadata.model_dump().items() if value is not None}
    return f"Planning: {', '.join(f'{name} {value}' for name, value in known.items())}." if known else ""


def _rules_section(order: TaskOrder) -> str:
    scope = f"- Only these folders are checked out and may be changed: {', '.join(order.task.paths)}.\n"
    return _RULES.format(
        worktree=order.worktree,
        branch=order.branch,
        base=order.base_branch,
        port=worker_port(order.worker),
        scope=scope if order.task.paths else "",
    )


def _gates_section(order: TaskOrder) -> str:
    if not order.gates:
        return ""
    gates = "\n".join(f"- {gate.name}: `{gate.run}`" for gate in order.gates)
    return (
        "# Gates\n\nWhen you have finished, these commands are run in the worktree. Each must exit 0 before a pull "
        f"request is opened; run them yourself first. What fails comes back to you.\n{gates}"
    )


def _feedback_section(feedback: str | None) -> str:
    if not feedback or not feedback.strip():
        return ""
    return (
        "# What happened to your work so far\n\nYour earlier commits are on the branch. Keep what is good and mend "
        f"this:\n\n{feedback.strip()}"
    )


_PLAIN_ROLE = "You are a software engineer. You carry out one task in a repository; your work is reviewed."

_RULES = """# Rules

- Work in this worktree only: {worktree}. Write nothing outside it, except temporary files below $TMPDIR or /tmp.
- You are on the branch {branch}, made from {base}. Stay on it: do not switch, rename, rebase, reset or push, and
  do not touch other branches, tags, stashes, worktrees, the git configuration or hooks. Do not merge or fetch.
{scope}- Nobody answers questions. Where the task leaves something open, choose what a careful maintainer would, and say
  so in the commit message.
- A server you start for a test listens on 127.0.0.1 and port {port} (also in $PARALLEL_WORKERS_PORT): other workers
  run beside you. End what you started; whatever still runs when you are done is ended.
- Your environment holds no secrets on purpose. Do not look for any."""

# The result line must not stand alone here: agents that print their prompt would say it.
_FINISH = f"""# How to finish

- Commit your work in steps that make sense, with Conventional Commit messages (`feat: ...`, `fix: ...`). What you
  leave uncommitted is committed for you; ignored files are not. Push nothing and open no pull request: that is
  done for you.
- When you have found that nothing needs to change, because it is done already or the task does not apply, change
  nothing, and print one line of the form `{RESULT_LINE} <reason>` with your reason in place of <reason>.
- When you cannot do the task, exit with a code other than 0 and say why on the last line."""
