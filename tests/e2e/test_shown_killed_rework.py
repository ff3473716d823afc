"""The engine is killed in the middle of a rework and started again: one finished agent run for it, no commit lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.product import RUN, Product, finish, wait_until, write_batch

AGENT = r"""
echo "begun $$" >> '{journal}'
if git diff --name-only --diff-filter=U | grep -q .; then
  echo first > half.txt; git add half.txt
  while ! test -e '{gate}'; do sleep 0.1; done
  grep -vE '^(<<<<<<<|=======|>>>>>>>)' shared.txt > kept.tmp; mv kept.tmp shared.txt
  {conclude}
  echo "ended $$" >> '{journal}'
  while ! test -e '{leave}'; do sleep 0.1; done
else
  echo mine >> shared.txt
fi
"""


@pytest.mark.parametrize("moment", ["the agent is at work", "the agent has committed"])
def test_killed_in_the_middle_of_a_rework(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git, moment: str
) -> None:
    name = moment.replace(" ", "-")
    repository = make_repository(name, {"shared.txt": "begin\n"}, bare_remote=True)
    journal, gate, leave = (tmp_path / name for name in ("journal", "gate", "leave"))
    committed = moment == "the agent has committed"
    conclude = "git add --all; git commit --quiet --no-edit" if committed else "true"
    shell = AGENT.format(journal=journal, gate=gate, leave=leave, conclude=conclude)
    spec = write_batch(tmp_path / f"{name}.yml", repository, [{"id": "T", "shell": shell}], merge="manual")
    engine = product.begin(*RUN, str(spec))
    wait_until(lambda: state_of(product, name) == "PR_OPEN" or engine.poll() is not None, "in review")
    (repository / "shared.txt").write_text("begin\ntheirs\n")
    git(repository, "commit", "--quiet", "--all", "--message", "feat: theirs")
    git(repository, "push", "--quiet", "origin", "main")
    if committed:
        gate.touch()
    wait_until(lambda: journal.read_text().count("begun") == 2, "the rework has begun")
    if committed:
        wait_until(lambda: "ended" in journal.read_text(), "the agent has committed")
    os.kill(engine.pid, signal.SIGKILL)
    finish(engine)
    agents = [line.split()[1] for line in journal.read_text().splitlines()]
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in agents), "the agents have ended")
    gate.touch()
    leave.touch()
    again = product.begin(*RUN, str(spec))
    wait_until(lambda: mergeable(git, repository) or again.poll() is not None, "the conflict is settled and pushed")
    assert git(repository, "show", "origin/feature/t:half.txt") == "first", "what was half done is kept"
    assert sorted(git(repository, "show", "origin/feature/t:shared.txt").split()) == ["begin", "mine", "theirs"]
    merged = product.call("pr", "merge", "1", "--repository", str(repository))
    assert merged.exit_code == 0, merged.stderr
    done = finish(again)
    assert done.results() == {"T": "merged"}, done.stderr
    assert journal.read_text().count("ended") == 1, "one agent run was finished, and it was not paid for twice"


def state_of(product: Product, project: str) -> str:
    listed = product.call("list", "--json").data
    return next((each["state"] for each in listed if each["project"] == project), "")


def mergeable(git: Git, repository: Path) -> bool:
    git(repository, "fetch", "--quiet", "origin")
    return "theirs" in git(repository, "show", "origin/feature/t:shared.txt")
