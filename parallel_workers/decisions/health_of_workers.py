"""Whether workers are at work, and whether what they leave running or written can still be used."""

from __future__ import annotations

from parallel_workers.durations import duration
from parallel_workers.health import AgentProcesses, BrokenRun, DeadBatch, Finding, HealthFacts, Severity, WorkerRun
from parallel_workers.lifecycle import WorkerState

SILENCE_SECONDS = 150.0
"""Five heartbeats of a deployed run; the automation of `up` gives a run up after the same time."""
PENDING_SECONDS = 180.0
"""Starting a process, or a container whose image is there, takes less."""

_NO_SERVER = "not looked at: no Prefect server runs"
_TAKES_A_PROCESS = frozenset({"RUNNING", "PENDING"})


def is_stranded(run: WorkerRun) -> bool:
    """Whether a run counts as going on and nobody runs it, for certain.

    One that waits for its merge is left: `loop` and the next `run` look for it under its state's name.
    """
    return _seems_stranded(run) and (run.here or run.deployed)


def _seems_stranded(run: WorkerRun) -> bool:
    if run.engine_alive:
        return False
    if run.suspended_by_automation:
        return run.changed_seconds >= SILENCE_SECONDS
    if run.prefect_type not in _TAKES_A_PROCESS or run.state is WorkerState.PR_OPEN:
        return False
    if not run.deployed:
        return True
    if run.prefect_type == "PENDING":
        return run.changed_seconds >= PENDING_SECONDS
    heard = run.changed_seconds if run.heard_seconds is None else run.heard_seconds
    return min(heard, run.changed_seconds) >= SILENCE_SECONDS


def check_processes(facts: HealthFacts) -> tuple[Finding, ...]:
    """No agent outlives its engine."""
    orphans = [_orphan(each) for each in facts.agent_processes if not each.engine_alive]
    living = sum(len(each.pids) for each in facts.agent_processes if each.engine_alive)
    return tuple(orphans) or (Finding("processes", Severity.OK, f"{living} of agents, all with a living engine"),)


def _orphan(each: AgentProcesses) -> Finding:
    pids = ", ".join(map(str, each.pids))
    what = f"the agent of {each.worker} runs on without its engine (processes {pids})"
    return Finding("processes", Severity.PROBLEM, what, "parallel-workers doctor --fix", fixable=True)


def check_workers(facts: HealthFacts) -> tuple[Finding, ...]:
    """What counts as going on does go on."""
    if facts.runs is None:
        return (Finding("workers", Severity.OK, _NO_SERVER),)
    found = [finding for run in facts.runs for finding in _judge_run(run)] + [_ended(one) for one in facts.dead_batches]
    if found:
        return tuple(found)
    live = sum(run.engine_alive for run in facts.runs)
    return (Finding("workers", Severity.OK, f"{len(facts.runs)} known, {live} run by a living engine, none stuck"),)


def _judge_run(run: WorkerRun) -> tuple[Finding, ...]:
    named = f"{run.worker} ({run.task})"
    if run.prefect_type == "CANCELLING" and not run.engine_alive and run.here:
        what = f"{named} is to be cancelled, and no engine is there to do it"
        return (Finding("workers", Severity.PROBLEM, what, f"parallel-workers terminate {run.worker}"),)
    if _seems_stranded(run):
        return (_stranded(run, named),)
    quiet = run.quiet_seconds
    if run.engine_alive and run.state is WorkerState.WORKING and quiet is not None and quiet >= run.stall_seconds:
        what = (
            f"the agent of {named} has printed nothing for {duration(quiet)}; its stall time is "
            f"{duration(run.stall_seconds)}, and its engine ends it unless it computes"
        )
        return (Finding("workers", Severity.WARNING, what, f"parallel-workers terminate {run.worker}"),)
    return ()


def _stranded(run: WorkerRun, named: str) -> Finding:
    mend = f"parallel-workers state set {run.worker} UNKNOWN"
    since = duration(run.changed_seconds)
    if run.suspended_by_automation:
        what = f"{named} fell silent, was suspended {since} ago, and nothing has resumed it"
    elif run.deployed:
        what = f"{named} counts as {run.prefect_state} since {since}, without a heartbeat"
    else:
        what = f"{named} counts as {run.prefect_state} since {since}, and no engine on this machine runs it"
    if is_stranded(run):
        return Finding("workers", Severity.PROBLEM, what, mend, fixable=True)
    return Finding("workers", Severity.WARNING, f"{what}; another machine may", mend)


def _ended(batch: DeadBatch) -> Finding:
    since = duration(batch.changed_seconds)
    what = f"{batch.name} counts as {batch.prefect_state} since {since}, and its engine, on this machine, is dead"
    return Finding("workers", Severity.PROBLEM, what, "parallel-workers doctor --fix", fixable=True)


def check_state(facts: HealthFacts) -> tuple[Finding, ...]:
    """What the server knows of each worker can be read."""
    if facts.runs is None:
        return (Finding("state", Severity.OK, _NO_SERVER),)
    found = tuple(_judge_broken(broken, facts) for broken in facts.broken)
    return found or (Finding("state", Severity.OK, "every worker's can be read"),)


def _judge_broken(broken: BrokenRun, facts: HealthFacts) -> Finding:
    named = broken.worker or f"flow run {broken.run_id}"
    if not broken.worker:
        what = f"{named} is of no worker that can be told: {broken.trouble}"
        prefect = f"PREFECT_API_URL={facts.server.api_url} {facts.python} -m prefect"
        mend = f"{prefect} --no-prompt flow-run delete {broken.run_id}"
        return Finding("state", Severity.PROBLEM, what, mend)
    mend = f"parallel-workers state remove {broken.worker}"
    if broken.ended:
        return Finding("state", Severity.WARNING, f"{named} has ended, and {broken.trouble}", mend)
    what = f"{named}: {broken.trouble}; running its batch file again writes it anew, or forget it"
    return Finding("state", Severity.PROBLEM, what, mend)
