"""`doctor`: what is wrong with an installation and a repository, and the command that mends each thing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_workers.cli.boundary import ExitCode
from parallel_workers.cli.output import json_option, print_json, print_table, say
from parallel_workers.errors import UsageError
from parallel_workers.health import Finding, Mended, Severity
from parallel_workers.locations import data_folder

if TYPE_CHECKING:
    from parallel_workers.cli.doctor_facts import Subject

_PATH = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--repository", type=_PATH, help="A folder in the repository. Default: the current one, if it is in one.")
@click.option("--spec-file", "spec", type=_FILE, help="A batch file: its agents and its repository are looked at.")
@click.option("--fix", is_flag=True, help="Mend what can be mended without losing anything; says what it did.")
@json_option
def doctor(*, repository: Path | None, spec: Path | None, fix: bool, as_json: bool) -> int:
    """Look for what is wrong, and say how to mend it.

    Looks at git, agents' programs, the Prefect server and its database, the WorktreePolicy block, the disk; then at
    what crashes have left: locks, worktrees, branches, processes, workers that nobody runs, state that cannot be read.
    Starts nothing. With --fix it removes lock files that nobody holds, drops git's record of worktrees whose folder is
    gone, ends agents whose engine is dead, and puts their workers back so that they can run; the rest is yours to
    decide. Exit code 1 when a problem is found, or with --fix when one is left.
    """
    from parallel_workers.cli.doctor_facts import gather
    from parallel_workers.cli.doctor_mending import carry_out
    from parallel_workers.decisions.health import decide_mends, is_healthy, judge_health

    subject = _subject(repository, spec)
    facts = gather(subject)
    mended: tuple[Mended, ...] = ()
    if fix:
        mended = carry_out(decide_mends(facts), subject.data, subject.leftovers)
        facts = gather(subject)
    findings = judge_health(facts)
    healthy = is_healthy(findings)
    if as_json:
        print_json({"healthy": healthy, "findings": findings, "mended": mended})
    else:
        _show(findings, mended, fix=fix)
    return ExitCode.OK if healthy else ExitCode.FAILED


def _subject(repository: Path | None, spec: Path | None) -> Subject:
    from parallel_workers.adapters.git.leftovers import Leftovers
    from parallel_workers.cli.batch_file import read_batch
    from parallel_workers.cli.doctor_facts import Subject

    batch = read_batch(spec) if spec is not None else None
    named = repository or (Path(batch.repository) if batch is not None else None)
    trouble, mend, leftovers = "", "", None
    try:
        leftovers = Leftovers(named or Path())
    except UsageError as error:
        if named is not None:
            raise
        trouble, mend = str(error), error.mend
    return Subject(data_folder(), leftovers, trouble, mend, batch, spec)


def _show(findings: Sequence[Finding], mended: Sequence[Mended], *, fix: bool) -> None:
    if fix:
        rows = (("done" if each.done else "left", each.what) for each in mended)
        print_table(("Result", "Mended"), rows, "Nothing of what is there may be mended without asking you.")
        click.echo()
    rows_of_findings = ((each.check, each.severity.value, each.what, each.mend) for each in findings)
    print_table(("Check", "Result", "Finding", "Mend"), rows_of_findings, "Nothing was looked at.")
    say(_summary(findings))


def _summary(findings: Sequence[Finding]) -> str:
    problems, warnings = (
        sum(each.severity is kind for each in findings) for kind in (Severity.PROBLEM, Severity.WARNING)
    )
    if not problems and not warnings:
        return "All is well."
    fixable = sum(each.fixable for each in findings)
    hint = f"; {fixable} of them mended by: parallel-workers doctor --fix" if fixable else ""
    return f"{problems} problem{'' if problems == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}{hint}"
