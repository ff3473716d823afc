"""What CI files run, taken out of the very files: steps of the composite action, workflows, blocks of a guide."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTIONS = ROOT / "deployments" / "github-actions"
FOLDER = ACTIONS / "parallel-workers"
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SECONDS = 60.0


class Action(NamedTuple):
    """One step of the composite action, with the inputs a workflow gives it."""

    step: Mapping[str, Any]
    given: Mapping[str, str]

    @staticmethod
    def inputs() -> Mapping[str, Mapping[str, Any]]:
        """The action's inputs as action.yml declares them."""
        declared: Mapping[str, Mapping[str, Any]] = _load(FOLDER / "action.yml")["inputs"]
        return declared

    def used(self) -> set[str]:
        """Names of the inputs this step reads."""
        found = [_EXPRESSION.fullmatch(value) for value in self.step["env"].values()]
        return {match[1].removeprefix("inputs.") for match in found if match}

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The step's environment: given inputs, else defaults. An expression that is no input is an error."""
        values = {f"inputs.{name}": str(entry.get("default", "")) for name, entry in self.inputs().items()}
        values |= {f"inputs.{name}": value for name, value in {**self.given, **more}.items()}
        return {name: substitute(value, values) for name, value in self.step["env"].items()}


class Job(NamedTuple):
    """A CI job on a runner: everything it writes is below `folder`."""

    folder: Path
    run_id: str

    @property
    def checkout(self) -> Path:
        """Its working directory."""
        return _made(self.folder / "check out")

    @property
    def home(self) -> Path:
        """Its HOME."""
        return _made(self.folder / "home")

    def begin(self, action: Action, api: str, **more: str) -> subprocess.Popen[str]:
        """Begin a step as GitHub's runner does. `more`: inputs (`spec_file` for spec-file), variables in capitals."""
        event = self.folder / "event.json"
        event.write_text(more.pop("event", "{}"), encoding="utf-8")
        inputs = {name.replace("_", "-"): value for name, value in more.items() if name.islower()}
        assert inputs.keys() <= Action.inputs().keys()
        script = self.folder / "step.sh"
        script.write_text(action.step["run"] + "\n", encoding="utf-8")
        variables = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(FOLDER),
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_JOB": "start",
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": self.run_id,
            "POLL_SECONDS": "0.3",
            **action.environment({"prefect-api-url": api, **inputs}),
            **{name: value for name, value in more.items() if name.isupper()},
        }
        assert action.step["shell"] == "sh"
        return self._popen(["sh", "-e", str(script)], variables)

    def run(self, action: Action, api: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a step to its end."""
        return _finish(self.begin(action, api, **more))

    def shell(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a guide's shell text to its end."""
        return _finish(self._popen(["sh", "-ec", script], variables))

    def outputs(self) -> dict[str, str]:
        """What steps have written to $GITHUB_OUTPUT; the last of each name."""
        lines = (self.folder / "output").read_text(encoding="utf-8").splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def _popen(self, command: list[str], variables: Mapping[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **variables},
            cwd=self.checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )


def action(do: str = "start-batch") -> Action:
    """The step of the action that is run for its input `do`."""
    return _step_for({"do": do})


def workflow_step(workflow: str, known: Mapping[str, str]) -> Action:
    """The step a workflow makes of the action; `known`: what its expressions are worth. Others are an error."""
    [job] = _load(ACTIONS / "workflows" / workflow)["jobs"].values()
    [uses] = [step for step in job["steps"] if step["uses"].startswith("./")]
    assert uses["uses"] == "./.github/actions/parallel-workers"
    given = {name: substitute(value, known) for name, value in uses["with"].items()}
    assert given.keys() <= Action.inputs().keys()
    return _step_for(given)


def substitute(text: object, values: Mapping[str, str]) -> str:
    """The text with each `${{ expression }}` replaced."""
    return _EXPRESSION.sub(lambda match: values[match[1]], str(text))


def fenced_blocks(file: Path) -> list[tuple[str, str]]:
    """Language and text of each fenced block of a Markdown file."""
    return [(language, text) for language, text in _FENCE.findall(file.read_text(encoding="utf-8"))]


def script_lines(gitlab: str) -> list[str]:
    """The commands of a GitLab CI file's one job."""
    [job] = yaml.safe_load(gitlab).values()
    lines: list[str] = job["script"]
    return lines


def _step_for(given: Mapping[str, str]) -> Action:
    do = given.get("do", Action.inputs()["do"]["default"])
    [step] = [step for step in _load(FOLDER / "action.yml")["runs"]["steps"] if f"== '{do}'" in step["if"]]
    return Action(step, given)


def _load(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    stdout, stderr = process.communicate(timeout=_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
