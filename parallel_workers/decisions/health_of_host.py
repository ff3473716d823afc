"""Whether this machine has what is needed: git, agents' programs, a Prefect server, room on disk."""

from __future__ import annotations

import shlex

from parallel_workers.health import Finding, HealthFacts, Place, ServerFacts, Severity

LOW_BYTES = 1 << 30
"""Below this a batch may fill the disk: worktrees, logs and results grow while it runs."""
FULL_BYTES = 100 << 20
LARGE_DATABASE_BYTES = 2 << 30

WORKTREE_ROOT = "worktree root"


def check_git(facts: HealthFacts) -> tuple[Finding, ...]:
    """The git on PATH is new enough."""
    if not facts.git_version:
        return (Finding("git", Severity.PROBLEM, "there is no git on PATH", "apt-get install git"),)
    if facts.git_too_old:
        what = f"{facts.git_version} is too old; {facts.git_needed} or newer is needed"
        return (Finding("git", Severity.PROBLEM, what, "apt-get install git"),)
    return (Finding("git", Severity.OK, facts.git_version),)


def check_agents(facts: HealthFacts) -> tuple[Finding, ...]:
    """The programs of the agent profiles that are declared can be started."""
    if not facts.agents:
        what = "none is declared here; a batch file may name its own (look at it with --spec-file)"
        return (Finding("agents", Severity.OK, what),)
    found = [each for each in facts.agents if not each.trouble]
    bad = [
        Finding(
            "agents",
            Severity.PROBLEM,
            f"{each.agent}: {each.trouble}",
            each.mend or f'"${{EDITOR:-vi}}" {shlex.quote(each.declared_in)}',
        )
        for each in facts.agents
        if each.trouble
    ]
    said = ", ".join(f"{each.agent} ({each.program})" for each in found)
    return (*((Finding("agents", Severity.OK, said),) if found else ()), *bad)


def check_server(facts: HealthFacts) -> tuple[Finding, ...]:
    """The Prefect server answers, and is one that goes with the installed Prefect."""
    server = facts.server
    if server.trouble:
        return (_unreachable(server),)
    if not server.api_url:
        what = "none runs, so no worker was looked at; the next command that needs one starts it"
        return (Finding("server", Severity.OK, what, "parallel-workers up --server-only"),)
    kind = "ours" if server.ours else "a stock one; with SQLite it is slower when many workers run at once"
    whose = "configured" if server.configured else "embedded"
    told = Finding("server", Severity.OK, f"{whose}, {kind}: Prefect {server.version or '?'} at {server.api_url}")
    if _minor(server.version) == _minor(server.client_version) or not server.version:
        return (told,)
    what = f"the server is Prefect {server.version}, this machine has {server.client_version}"
    mend = "parallel-workers down && parallel-workers up" if not server.configured else ""
    return (
        told,
        Finding("server", Severity.WARNING, what, mend or f"{facts.python} -m pip install prefect=={server.version}"),
    )


def _unreachable(server: ServerFacts) -> Finding:
    if server.configured:
        what = f"the configured server {server.api_url} does not answer: {server.trouble}"
        return Finding("server", Severity.PROBLEM, what, "unset PREFECT_API_URL  # to use the embedded one")
    mend = "parallel-workers down --force && parallel-workers up --server-only"
    return Finding("server", Severity.PROBLEM, f"the embedded server does not answer: {server.trouble}", mend)


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def check_database(facts: HealthFacts) -> tuple[Finding, ...]:
    """The embedded server's database is whole and of a size that it can work with."""
    database = facts.database
    if database is None:
        where = "is the configured server's affair" if facts.server.configured else "not made yet"
        return (Finding("database", Severity.OK, where),)
    path, folder = shlex.quote(str(database.path)), shlex.quote(str(database.path.parent))
    if database.trouble:
        what = f"{database.path} is damaged: {database.trouble}; the work is in git, and running a batch again finds it"
        mend = f"parallel-workers down --force; mv {folder} {folder}.damaged"
        return (Finding("database", Severity.PROBLEM, what, mend),)
    if database.size > LARGE_DATABASE_BYTES:
        sql = f"import sqlite3; sqlite3.connect({str(database.path)!r}).execute('VACUUM')"
        mend = f"parallel-workers down && {facts.python} -c {shlex.quote(sql)}"
        return (Finding("database", Severity.WARNING, f"{path} has {in_words(database.size)}", mend),)
    return (Finding("database", Severity.OK, f"{database.path}, {in_words(database.size)}"),)


def check_policy(facts: HealthFacts) -> tuple[Finding, ...]:
    """The WorktreePolicy block can be read."""
    policy = facts.policy
    if policy.trouble:
        save = f"from blocks.worktree_policy import WorktreePolicy as P; P().save({policy.name!r}, overwrite=True)"
        mend = f"PREFECT_API_URL={facts.server.api_url} {facts.python} -c {shlex.quote(save)}  # the defaults"
        return (Finding("policy block", Severity.PROBLEM, policy.trouble, mend),)
    what = f"{policy.name} is readable" if policy.asked else "not looked at without a server; the defaults hold"
    return (Finding("policy block", Severity.OK, what),)


def check_worktree_root(facts: HealthFacts) -> tuple[Finding, ...]:
    """Worktrees can be made where they are to be made."""
    return tuple(_judge_root(place) for place in facts.places if place.name == WORKTREE_ROOT)


def _judge_root(place: Place) -> Finding:
    path = shlex.quote(str(place.path))
    if place.clone is not None:
        what = f"{place.path} lies in the repository {place.clone}: agents that look upwards find another checkout"
        # the usual place does not do when the home folder itself is, or lies in, a clone
        instead = "$(mktemp -d /var/tmp/worktrees-XXXXXX)" if place.path.name == ".worktrees" else "$HOME/.worktrees"
        return Finding(WORKTREE_ROOT, Severity.PROBLEM, what, f'export PARALLEL_WORKERS_WORKTREE_ROOT="{instead}"')
    if not place.writable:
        mend = f"mkdir -p {path} && chmod u+rwx {path}"
        return Finding(WORKTREE_ROOT, Severity.PROBLEM, f"{place.path} cannot be written to", mend)
    return Finding(WORKTREE_ROOT, Severity.OK, str(place.path))


def check_disk(facts: HealthFacts) -> tuple[Finding, ...]:
    """There is room where worktrees, logs, results and the database go."""
    return tuple(_judge_disk(place) for place in facts.places)


def _judge_disk(place: Place) -> Finding:
    what = f"{place.name} {place.path}: {in_words(place.free)} of {in_words(place.total)} free"
    mend = "parallel-workers cleanup" if place.name == WORKTREE_ROOT else f"du -sh {shlex.quote(str(place.path))}/*"
    if place.name != WORKTREE_ROOT and not place.writable:
        what = f"{place.name} {place.path} cannot be written to"
        return Finding("disk", Severity.PROBLEM, what, f"chmod -R u+rwX {shlex.quote(str(place.path))}")
    if place.free < FULL_BYTES:
        return Finding("disk", Severity.PROBLEM, what, mend)
    if place.free < LOW_BYTES:
        return Finding("disk", Severity.WARNING, what, mend)
    return Finding("disk", Severity.OK, what)


def in_words(size: int) -> str:
    """Bytes as people say them: `3 KB`, `120 MB`, `1.4 GB`."""
    if size >= 1 << 30:
        return f"{size / (1 << 30):.1f} GB"
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{(size + 1023) >> 10} KB"
