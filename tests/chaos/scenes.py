"""A repository with a bare remote, a batch on it, and agents that write down what they wrote."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tests.e2e.product import write_batch

# Committed work, then work left for the engine to commit. A file is in the journal once it is written whole, a commit
# once git has told its id: that is what must never be lost. `$$` makes every run's names and content its own.
_AGENT = """
name="$PARALLEL_WORKERS_TASK_ID-$$"
{contend}
echo "run $PARALLEL_WORKERS_TASK_ID $$" >> "{journal}"
echo "by itself: $name $(date +%s%N)" > "$name-committed.txt"
echo "file $(git hash-object "$name-committed.txt")" >> "{journal}"
git add "$name-committed.txt"
git commit --quiet --message "feat: $name"
echo "commit $(git rev-parse HEAD)" >> "{journal}"
{pause}
echo "left behind: $name $(date +%s%N)" > "$name-left.txt"
echo "file $(git hash-object "$name-left.txt")" >> "{journal}"
"""
# Two tasks that write the same line are in conflict; the one that is sent back keeps both lines.
_CONTEND = """
if grep -q '^<<<<<<<' shared.txt 2> /dev/null
then sed -i '/^[<=>]\\{7\\}/d' shared.txt
else echo "$name" > shared.txt
fi
git add shared.txt
"""
# A gate that holds, and writes after the work was committed: nobody commits that, so the worktree is dirty at its end.
_LATE = """
note() {{ echo "file $(git hash-object --no-filters "$1")" >> "{journal}"; }}
for name in late.txt staged.txt late.keep
do echo "$name $$ $(date +%s%N)" > "$name"; note "$name"
done
git add staged.txt
echo "changed again" >> staged.txt; note staged.txt
echo "changed $$ $(date +%s%N)" >> README.md; note README.md
"""
_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Test Author",
    "GIT_AUTHOR_EMAIL": "author@example.invalid",
    "GIT_COMMITTER_NAME": "Test Author",
    "GIT_COMMITTER_EMAIL": "author@example.invalid",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git there; its stdout without white space around it. Fails on an error."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **_GIT}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


PULLS = "refs/parallel-workers/pulls/"
GATES = ({"name": "one", "run": "test -e README.md"}, {"name": "two", "run": "true"})


def read_local_heads(remote: Path) -> Sequence[str]:
    """The head branch of each pull request that the local forge has in a repository."""
    told = git(remote, "for-each-ref", "--format=%(contents)", f"{PULLS}*/meta").splitlines()
    return [line.partition(": ")[2] for line in told if line.startswith("Head-Branch: ")]


class Scene(NamedTuple):
    """What one kill happens to. `spec` is the batch file; `journal` is what its agents wrote down.

    `remote` is the bare repository that is merged into, and `heads` answers for it the head branch of each pull
    request. `environment` is for the command. `left_dirty`: its worktrees hold files that nobody has committed.
    """

    name: str
    repository: Path
    remote: Path
    spec: Path
    journal: Path
    tasks: tuple[str, ...]
    heads: Callable[[Path], Sequence[str]] = read_local_heads
    environment: Mapping[str, str] = MappingProxyType({})
    left_dirty: bool = False

    def noted(self, kind: str) -> list[str]:
        """What the journal says after `kind`: `run`, `file` or `commit`."""
        if not self.journal.exists():
            return []
        lines = (line.split(" ", 1) for line in self.journal.read_text(encoding="utf-8").splitlines())
        return [line[1] for line in lines if line[0] == kind]


def agent_shell(journal: Path, *, contend: bool = False, pause_seconds: float = 0.0) -> str:
    """What the agent of each task runs."""
    pause = f"sleep {pause_seconds}" if pause_seconds else ""
    return _AGENT.format(journal=journal, contend=_CONTEND if contend else "", pause=pause)


def make_scene(
    folder: Path,
    name: str,
    *,
    tasks: int = 1,
    setup: bool = False,
    contend: bool = False,
    pause_seconds: float = 0.0,
    left_dirty: bool = False,
) -> Scene:
    """A fresh scene below `folder`. Each task after the first needs the first, unless they `contend` for a line."""
    repository, journal = folder / name, folder / f"{name}.journal"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", "--initial-branch=main")
    (repository / "README.md").write_text("# a project\n", encoding="utf-8")
    (repository / ".gitignore").write_text("/made-by-set-up\n*.keep\n", encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "chore: begin")
    remote = repository.with_suffix(".git")
    git(folder, "clone", "--quiet", "--bare", str(repository), str(remote))
    git(repository, "remote", "add", "origin", str(remote))
    shell = agent_shell(journal, contend=contend, pause_seconds=pause_seconds)
    names = tuple(f"T{number}" for number in range(1, tasks + 1))
    entries: list[Mapping[str, object]] = [
        {"id": task, "shell": shell, **({"dependencies": ["T1"]} if task != "T1" and not contend else {})}
        for task in names
    ]
    settings: dict[str, object] = {"setup": ["touch made-by-set-up"]} if setup else {}
    gates: list[Mapping[str, object]] = [*GATES]
    if left_dirty:
        gates.append({"name": "writes", "run": _LATE.format(journal=journal)})
        settings["keep_ignored"] = ["*.keep"]
    spec = write_batch(folder / f"{name}.yml", repository, entries, gates=gates, **settings)
    return Scene(name, repository, remote, spec, journal, names, left_dirty=left_dirty)
