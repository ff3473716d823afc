"""The demo: a small repository, eight tasks, plain programs as agents; no AI, no account, no network.

    make demo      or      .venv/bin/python examples/demo/run.py [--folder FOLDER]

It makes the repository when there is none, runs the batch with `parallel-workers run` as a person would, and then
looks with plain git whether what was said is so. Run again, it goes on where it was stopped, or finds all done.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from demo_repository import BASE_BRANCH, DemoRepository, ensure_repository

from parallel_workers.identity import worker_id
from parallel_workers.locations import data_folder
from parallel_workers.validation import load_batch

BATCH_FILE = Path(__file__).resolve().parent / "tasks.yml"
SCRIPTS = Path(sysconfig.get_path("scripts"))
PROGRAM = SCRIPTS / "parallel-workers"
LEAST_GIT = (2, 38)


def main() -> int:
    """Exit code 0 when every task is merged and nothing is left behind."""
    parser = argparse.ArgumentParser(description="Run the demo.")
    parser.add_argument("--folder", type=Path, default=data_folder().root / "demo" / "postage", help="the repository")
    folder = parser.parse_args().folder.expanduser().resolve()
    problem = _find_problem(folder)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    if not folder.exists():
        _forget_workers_of(folder)
    repository, is_new = ensure_repository(folder)
    print(f"{'Made' if is_new else 'Found'} the demo's repository: {folder}", flush=True)
    code = _run_batch(folder)
    if code:
        print(f"\nNot every task is merged (exit code {code}); run it again to go on.", file=sys.stderr)
        return code
    print(f"\n{folder}, branch {BASE_BRANCH}:\n{repository.graph()}")
    wrong = _find_leftovers(repository)
    for each in wrong:
        print(f"Not as it should be: {each}", file=sys.stderr)
    if not wrong:
        print("Every task is merged; no feature/* branch and no worktree is left.")
    _say_how_to_look()
    return 1 if wrong else 0


def _find_problem(folder: Path) -> str:
    git = shutil.which("git")
    if git is None:
        return f"git is not installed; the demo needs {'.'.join(map(str, LEAST_GIT))} or newer"
    said = subprocess.run([git, "--version"], check=True, capture_output=True, text=True).stdout.split()[2]
    if tuple(int(part) for part in said.split(".")[:2]) < LEAST_GIT:
        return f"git {said} is too old; the demo needs {'.'.join(map(str, LEAST_GIT))} or newer"
    if folder.exists() and not DemoRepository(folder).is_ours():
        return f"{folder} exists and is not the demo's repository; choose another with --folder"
    return ""


def _environment() -> dict[str, str]:
    """This process's environment, with the `python3` that agents find being the one that runs the demo."""
    return {**os.environ, "PATH": os.pathsep.join((str(SCRIPTS), os.environ.get("PATH", os.defpath)))}


def _command(*arguments: str) -> list[str]:
    """`parallel-workers` as it is installed; in a checkout that is not installed, the module behind it."""
    program = [str(PROGRAM)] if PROGRAM.exists() else [sys.executable, "-m", "parallel_workers.cli.main"]
    return [*program, *arguments]


def _run_batch(folder: Path) -> int:
    """`parallel-workers run` attached to this terminal; its exit code."""
    process = subprocess.Popen(_command("run", str(BATCH_FILE)), cwd=folder, env=_environment())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # it is told as well, and stops in good order


def _ask(*arguments: str, cwd: Path | None = None) -> str:
    """What `parallel-workers` prints on stdout."""
    return subprocess.run(
        _command(*arguments), cwd=cwd, env=_environment(), check=True, capture_output=True, text=True
    ).stdout


def _forget_workers_of(folder: Path) -> None:
    """A repository that was deleted and made again has the same name: its old workers must not count as done."""
    if not data_folder().server.exists() and "PREFECT_API_URL" not in os.environ:
        return
    batch = load_batch(BATCH_FILE)
    ours = {worker_id(str(folder), f"{batch.project}/{batch.name}", task.id) for task in batch.tasks}
    _ask("up", "--server-only")
    known = ours & {worker["worker_id"] for worker in json.loads(_ask("list", "--json"))}
    if known:
        print(f"Forgetting what was done in a repository that is gone: {folder}", flush=True)
    for worker in sorted(known):
        _ask("state", "remove", worker, "--json")


def _find_leftovers(repository: DemoRepository) -> list[str]:
    """What should not be there any more, and tasks whose merge is not in the base branch."""
    merged = {
        each["title"].partition(":")[0]
        for each in json.loads(_ask("pr", "list", "--state", "merged", "--json", cwd=repository.path))
    }
    missing = [task.id for task in load_batch(BATCH_FILE).tasks if task.id not in merged]
    return [
        *(f"branch {branch} is left" for branch in repository.feature_branches()),
        *(f"worktree {worktree} is left" for worktree in repository.worktrees()),
        *(f"{task} has no merged pull request" for task in missing),
    ]


def _say_how_to_look() -> None:
    program = shlex.quote(os.path.relpath(PROGRAM) if PROGRAM.is_relative_to(Path.cwd()) else str(PROGRAM))
    print(f"Look at it in the UI: {_ask('up').strip()}")
    print(f"What each worker did: {program} list")
    print(f"Stop the server:      {program} down")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except subprocess.CalledProcessError as error:
        print(f"{shlex.join(map(str, error.cmd))} ended {error.returncode}:\n{error.stderr or ''}", file=sys.stderr)
        sys.exit(1)
