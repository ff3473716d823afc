"""What the user writes: a batch of task specs and the settings around it. Frozen and complete when made."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

DEFAULT_MAX_WORKERS = 3
DEFAULT_PRIORITY = 5
DEFAULT_AGENT = "code-author"
DEFAULT_GATE_ROUNDS = 3


class Frozen(BaseModel):
    """Base of every value the user writes: unknown keys are errors, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MergePolicy(StrEnum):
    """Who merges: a person (`manual`) or the product, as soon as the pull request may be (`auto`)."""

    MANUAL = "manual"
    AUTO = "auto"


class MergeMethod(StrEnum):
    """GitHub's words for the three ways to merge."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class PromptDelivery(StrEnum):
    """How an agent gets its prompt: as the last argument, on stdin, or as a file's path (the last argument)."""

    ARG = "arg"
    STDIN = "stdin"
    FILE = "file"


_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> object:
    """Seconds from `90`, `"90s"`, `"30m"`, `"2h"` or `"1d"`; anything else is left for pydantic to refuse."""
    if isinstance(value, str) and value[-1:] in _UNIT_SECONDS and value[:-1].replace(".", "", 1).isdigit():
        return float(value[:-1]) * _UNIT_SECONDS[value[-1]]
    return value


Seconds = Annotated[float, BeforeValidator(parse_duration), Field(gt=0)]


class Gate(Frozen):
    """A check that must hold before a pull request is opened: a shell command that must exit 0 in the worktree."""

    name: str
    run: str
    timeout: Seconds = 600.0


class AgentProfile(Frozen):
    """How an agent is run. `command` is an argument list; the prompt is delivered as `prompt` says.

    `timeout` and `stall_timeout` are seconds; `env` grants host variables by exact name, even ones that
    look like secrets; `instructions` opens the prompt (text, or a file's path below the repository).
    """

    adapter: Literal["command"] = "command"
    command: tuple[str, ...] = ()
    prompt: PromptDelivery = PromptDelivery.ARG
    timeout: Seconds = 4 * 3600.0
    stall_timeout: Seconds = 1800.0
    env: tuple[str, ...] = ()
    instructions: str = ""


class TaskSpec(Frozen):
    """One entry of the batch file: one piece of work that becomes one pull request."""

    id: str
    description: str
    agent: str = DEFAULT_AGENT
    priority: int = Field(default=DEFAULT_PRIORITY, ge=1, le=10, description="1..10, higher first")
    estimated_hours: float | None = Field(default=None, gt=0)
    dependencies: tuple[str, ...] = ()
    base_branch: str | None = None
    paths: tuple[str, ...] = Field(default=(), description="sparse checkout: only these folders are present")
    timeout: Seconds | None = Field(default=None, description="seconds, or 90s, 30m, 2h; over the agent's")
    labels: tuple[str, ...] = ()
    milestone: str | None = None
    gates: tuple[Gate, ...] | None = Field(default=None, description="replaces the batch's gates")
    merge: MergePolicy | None = None
    prompt: str = Field(default="", description="said to the agent after the description")


class Metadata(Frozen):
    """Where the batch stands in the user's planning; goes into labels, milestone and pull request text."""

    model_config = ConfigDict(frozen=True, extra="allow")

    sprint: str | None = None
    epic: str | None = None
    complexity_level: int | None = None
    phase: int | None = None


class BatchSpec(Frozen):
    """One batch file, checked: ids are unique, dependencies exist and have no cycle, names are valid refs."""

    name: str = Field(description="of the batch file, without folder and ending; part of every worker id")
    project: str
    base_branch: str = "main"
    tasks: tuple[TaskSpec, ...]
    metadata: Metadata = Metadata()
    repository: str = "."
    forge: Literal["local"] | None = None
    merge: MergePolicy = MergePolicy.MANUAL
    merge_method: MergeMethod = MergeMethod.MERGE
    max_workers: int = Field(default=DEFAULT_MAX_WORKERS, ge=1, le=1000)
    agents: Mapping[str, AgentProfile] = Field(default_factory=lambda: MappingProxyType({}))
    gates: tuple[Gate, ...] = ()
    setup: tuple[str, ...] = Field(default=(), description="shell commands run in a new worktree")

    def task(self, task_id: str) -> TaskSpec:
        """The task with this id; KeyError when there is none."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise KeyError(task_id)


class TaskOrder(Frozen):
    """Everything one worker needs, resolved: the parameters of its flow run. Holds no secret.

    Made from batch over repository over block over default; pure JSON, because Prefect stores and shows it.
    """

    worker: str
    batch: str
    project: str
    repository: str
    task: TaskSpec
    base_branch: str
    branch: str
    worktree: str
    agent: AgentProfile
    gates: tuple[Gate, ...] = ()
    setup: tuple[str, ...] = ()
    merge: MergePolicy = MergePolicy.MANUAL
    merge_method: MergeMethod = MergeMethod.MERGE
    metadata: Metadata = Metadata()
    policy_block: str | None = Field(default=None, description="name of the WorktreePolicy block")
    poll_seconds: float = 5.0
