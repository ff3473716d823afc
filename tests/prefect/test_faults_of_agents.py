"""Agents that misbehave, as the batch sees them: what becomes of the task, and that nothing is left running."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from deployments.embedded_server import ServerAddress
from flows.flow_names import WORKER_EVENT
from flows.run_batch import RunOptions, carry_out
from parallel_workers.adapters.agents.process_tree import find_tagged
from parallel_workers.spec import AgentProfile
from tests.conftest import TellFault
from tests.prefect.batches import shell_batch

_GOOD = "echo done > $PARALLEL_WORKERS_TASK_ID.txt"
_COMMITTED = f"{_GOOD}; git add --all; git -c user.name=A -c user.email=a@example.invalid commit -qm half"
_AGENTS = {
    "DEAF": "trap '' TERM; while :; do sleep 0.1; done",
    "DAEMON": f"{_GOOD}; setsid sh -c 'trap \"\" TERM; sleep 300' > /dev/null 2>&1 &",
    "FLOOD": f"yes | head -c 30000000; {_GOOD}",
    "CLOSES": f"exec >&- 2>&-; sleep 0.2; {_GOOD}",
    "IDLE": "true",
    "SWITCHES": f"{_COMMITTED}; git switch -qc side; echo rest > rest.txt",
    "DELETES": f"{_COMMITTED}; git update-ref -d refs/heads/$PARALLEL_WORKERS_BRANCH; echo rest > rest.txt",
    "REMOVES": f"{_COMMITTED}; git worktree remove --force .",
    "MISSING": "",
    "NOT-EXECUTABLE": "",
}
_WHAT = {
    "DEAF": "ignores TERM",
    "DAEMON": "leaves a daemon",
    "FLOOD": "prints without end",
    "CLOSES": "closes its pipes",
    "IDLE": "ends 0 with nothing done",
    "SWITCHES": "switches to a branch of its own",
    "DELETES": "deletes its branch",
    "REMOVES": "removes its worktree",
    "MISSING": "is not there",
    "NOT-EXECUTABLE": "is not executable",
}
_SAID = {
    "DEAF": "agent timed out after",
    "IDLE": "agent ended 0 but left no commit and no change; when none is needed it must say so",
    "SWITCHES": "on side, not on feature/switches. Nothing was committed, pushed or removed",
    "REMOVES": "the agent removed its own worktree",
    "MISSING": "no program `no-such-agent` in the worker's PATH; install it, or change `agents: agent-MISSING",
    "NOT-EXECUTABLE": "is not executable: chmod +x",
}


async def test_each_has_its_outcome_and_nothing_is_left(
    prefect_server: ServerAddress, make_repository: Callable[..., Path], tmp_path: Path, tell_fault: TellFault
) -> None:
    program = tmp_path / "agent.sh"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    tasks = {name: {"shell": shell, **({"timeout": 1.0} if name == "DEAF" else {})} for name, shell in _AGENTS.items()}
    batch = shell_batch(make_repository(), tasks, max_workers=len(tasks))
    changed = {"MISSING": ("no-such-agent",), "NOT-EXECUTABLE": (str(program),)}
    profiles = {f"agent-{name}": AgentProfile(command=command) for name, command in changed.items()}
    batch = batch.model_copy(update={"agents": {**batch.agents, **profiles}})
    outcome = await carry_out(batch, options=RunOptions(worktree_root=str(tmp_path / "trees"), poll_seconds=0.2))

    results = {task.task_id: task.result for task in outcome.tasks}
    assert results == {name: "failed" if name in _SAID else "merged" for name in _AGENTS}
    reasons = {task.task_id: task.reason for task in outcome.tasks}
    assert {name: said for name, said in _SAID.items() if said not in reasons[name]} == {}, reasons
    assert [task.task_id for task in outcome.tasks if find_tagged(task.worker_id)] == []
    for task in outcome.tasks:
        tell_fault(f"agent: {_WHAT[task.task_id]}", task.result, task.reason)


async def _needs_human(server: ServerAddress, worker: str) -> str:
    """The words of the event that a worker needs a person, once the server has it."""
    wanted = {
        "event": {"name": [f"{WORKER_EVENT}needs_human"]},
        "resource": {"id": [f"parallel-workers.worker.{worker}"]},
    }
    async with httpx.AsyncClient(base_url=server.api_url) as api, asyncio.timeout(60):
        while True:
            answer = await api.post("/events/filter", json={"filter": wanted})
            if told := answer.raise_for_status().json()["events"]:
                return str(told[0]["payload"]["reason"])
            await asyncio.sleep(0.2)


async def test_a_secret_in_what_an_agent_or_the_remote_says_is_in_no_event_state_or_log(
    prefect_server: ServerAddress,
    make_repository: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    known, shaped = f"value-{secrets.token_hex(12)}", f"ghp_{secrets.token_hex(18)}"
    monkeypatch.setenv("GITHUB_TOKEN", known)
    repository = make_repository(bare_remote=True)
    hook = repository.parent / "repo.git/hooks/pre-receive"
    said = f"echo 'The remote saw {known} and {shaped}' >&2; exit 1"
    hook.write_text(f"#!/bin/sh\ngrep -q feature/pushes || exit 0\n{said}\n", encoding="utf-8")
    hook.chmod(0o755)
    tells = {"shell": f"echo 'I saw {known} and {shaped}'; exit 3"}
    batch = shell_batch(repository, {"TELLS": tells, "PUSHES": {}})
    outcome = await carry_out(batch, options=RunOptions(worktree_root=str(tmp_path / "trees"), poll_seconds=0.2))
    words = {"TELLS": "agent ended 3\n  I saw [redacted] and [redacted]", "PUSHES": "saw [redacted] and [redacted]"}
    for task in outcome.tasks:
        for told in (await _needs_human(prefect_server, task.worker_id), task.reason):
            assert words[task.task_id] in told
    assert "I saw [redacted]" in caplog.text
    assert known not in caplog.text
    assert shaped not in caplog.text
