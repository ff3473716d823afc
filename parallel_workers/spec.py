"""What the user writes: a batch of task specs and the settings around it. Frozen and complete when made."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from parallel_workers.frozen_mapping import FrozenMapping
from parallel_workers.spec_values import (
    Argument,
    BranchName,
    Folder,
    Label,
    Line,
    ProjectName,
    Reviewer,
    Seconds,
    TaskId,
    Text,
    UserName,
    VariableName,
)

DEFAULT_MAX_WORKERS = 3
MAX_WORKERS = 1000
DEFAULT_PRIORITY = 5
DEFAULT_AGENT = "code-author"
DEFAULT_GATE_ROUNDS = 3
DEFAULT_REWORK_ROUNDS = 3
DEFAULT_REVIEW_TIMEOUT = 14 * 86400.0
"""Seconds that a pull request may stay open before its worker gives up."""


class Frozen(BaseModel):
    """Base of every value the user writes: unknown keys are errors, nothing changes afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MergePolicy(StrEnum):
    """Who merges: a person (`manual`) or the product, as soon as the pull request may be (`auto`)."""

    MANUAL = "manual"
    AUTO = "auto"


class ForgeKind(StrEnum):
    """Where pull requests live: on GitHub (or GitHub Enterprise), or in the repository itself (`local`)."""

    GITHUB = "github"
    LOCAL = "local"


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


class Gate(Frozen):
    """A check that must hold before a pull request is opened: a shell command that must exit 0 in the worktree."""

    name: Line = Field(description="what the gate is called in logs and reports")
    run: Text = Field(description="shell command, run in the worktree; must exit 0")
    timeout: Seconds = Field(default=600.0, description="seconds, or 90s, 30m, 2h; then the gate fails")


_MAX_GATE_NAME = 100


def gate_from_text(value: object) -> object:
    """`make test` stands for a gate that is called so and runs it; anything but text is left as it is."""
    if isinstance(value, str):
        return {"name": " ".join(value.split())[:_MAX_GATE_NAME], "run": value}
    return value


GateEntry = Annotated[Gate, BeforeValidator(gate_from_text, json_schema_input_type=str | Gate)]
"""A gate as it is written: a mapping, or just the command."""


class AgentProfile(Frozen):
    """How an agent is run. `command` is an argument list; the prompt is delivered as `prompt` says.

    `timeout` and `stall_timeout` are seconds; `env` grants host variables by exact name, even ones that
    look like secrets; `instructions` opens the prompt (text, or a file's path below the repository).
    """

    adapter: Literal["command"] = Field(default="command", description="how the program is driven")
    command: tuple[Argument, ...] = Field(default=(), description="program and arguments, as a list; no shell")
    prompt: PromptDelivery = Field(
        default=PromptDelivery.ARG, description="how the prompt gets there: last argument, stdin, or a file's path"
    )
    timeout: Seconds = Field(default=4 * 3600.0, description="seconds, or 90s, 30m, 2h; then the agent is ended")
    stall_timeout: Seconds = Field(default=1800.0, description="ended after so long without output; seconds or 30m")
    env: tuple[VariableName, ...] = Field(default=(), description="host variables the agent may see, by exact name")
    instructions: str = Field(default="", description="opens the prompt: text, or a file's path in the repository")


Agents = Annotated[
    Mapping[Line, AgentProfile],
    AfterValidator(FrozenMapping),
    PlainSerializer(dict, return_type=dict[str, AgentProfile]),
]


class PullRequestSettings(Frozen):
    """How pull requests are opened. What a task sets is joined to (lists) or goes over (the rest) the batch's."""

    draft: bool | None = Field(default=None, strict=True, description="open as drafts; a person marks them ready")
    reviewers: tuple[Reviewer, ...] = Field(default=(), description="user names, or `organisation/team`")
    assignees: tuple[UserName, ...] = Field(default=(), description="user names")
    create_milestone: bool | None = Field(
        default=None, strict=True, description="make the milestone when the forge has none with this title"
    )


class TaskSpec(Frozen):
    """One entry of the batch file: one piece of work that becomes one pull request."""

    id: TaskId = Field(description="names the branch and the worktree; unique in the batch, such as TASK-001")
    description: Text = Field(max_length=20_000, description="what is to be done, as you would tell a colleague")
    agent: Line = Field(
        default=DEFAULT_AGENT, description="code-author, test-author, iac-engineer, or one under `agents`"
    )
    priority: int = Field(default=DEFAULT_PRIORITY, strict=True, ge=1, le=10, description="1..10, higher first")
    estimated_hours: float | None = Field(
        default=None, strict=True, gt=0, le=10_000, allow_inf_nan=False, description="for your planning"
    )
    dependencies: tuple[TaskId, ...] = Field(default=(), description="ids of tasks that must be merged before")
    base_branch: BranchName | None = Field(default=None, description="begin from and merge into; over the batch's")
    paths: tuple[Folder, ...] = Field(default=(), description="sparse checkout: only these folders are present")
    timeout: Seconds | None = Field(default=None, description="seconds, or 90s, 30m, 2h; over the agent's")
    labels: tuple[Label, ...] = Field(default=(), description="labels of the pull request")
    milestone: Line | None = Field(default=None, description="milestone of the pull request")
    gates: tuple[GateEntry, ...] | None = Field(default=None, description="replaces the batch's gates")
    merge: MergePolicy | None = Field(default=None, description="who merges; over the batch's")
    pull_request: PullRequestSettings | None = Field(
        default=None, description="how its pull request is opened; beside the batch's"
    )
    prompt: str = Field(default="", max_length=60_000, description="said to the agent after the description")


class Metadata(Frozen):
    """Where the batch stands in the user's planning; goes into labels, milestone and pull request text."""

    model_config = ConfigDict(frozen=True, extra="allow")

    sprint: str | None = Field(default=None, description="such as Sprint 1")
    epic: str | None = Field(default=None, description='issue or name of the epic; quote it: "#33"')
    complexity_level: int | None = Field(default=None, strict=True, description="a number of your own scale")
    phase: int | None = Field(default=None, strict=True, description="the project's phase")


class Settings(Frozen):
    """What a batch file and the repository's settings file have in common."""

    forge: ForgeKind | None = Field(
        default=None,
        description="where pull requests live: github, or local; default: github when the remote is there and "
        "credentials are given, else local",
    )
    merge: MergePolicy = Field(default=MergePolicy.MANUAL, description="who merges: a person, or the product")
    merge_method: MergeMethod = Field(default=MergeMethod.MERGE, description="merge commit, squash or rebase")
    pull_request: PullRequestSettings = Field(
        default=PullRequestSettings(), description="how pull requests are opened: draft, reviewers, assignees"
    )
    rework_rounds: int = Field(
        default=DEFAULT_REWORK_ROUNDS,
        strict=True,
        ge=0,
        le=20,
        description="how often red checks, reviews or conflicts send a worker back to work before a person is asked",
    )
    review_timeout: Seconds = Field(
        default=DEFAULT_REVIEW_TIMEOUT,
        description="seconds, or 12h, 14d; a pull request open for longer is given up, its work kept",
    )
    max_workers: int = Field(
        default=DEFAULT_MAX_WORKERS, strict=True, ge=1, le=MAX_WORKERS, description="tasks at work at once"
    )
    agents: Agents = Field(default_factory=FrozenMapping[AgentProfile], description="your agents, by name")
    gates: tuple[GateEntry, ...] = Field(default=(), description="checks that must hold before a pull request opens")
    setup: tuple[Text, ...] = Field(default=(), description="shell commands run in a new worktree")
    keep_ignored: tuple[Line, ...] = Field(
        default=(), description="ignored files that are saved before a worktree is removed; patterns as in .gitignore"
    )


class BatchFile(Settings):
    """What a batch file holds."""

    project: ProjectName = Field(description="names the folder of the worktrees")
    base_branch: BranchName = Field(default="main", description="tasks begin from it and are merged into it")
    tasks: tuple[TaskSpec, ...] = Field(min_length=1, description="the work, one pull request each")
    metadata: Metadata = Field(default=Metadata(), description="where the batch stands in your planning")
    repository: Line = Field(default=".", description="path or URL of the repository; default: the current one")


class BatchSpec(BatchFile):
    """One batch file, checked: ids are unique, dependencies exist and have no cycle, names are valid refs.

    Written as JSON it keeps only what was set, so that what the file left out can still come from the
    repository's settings after a trip through Prefect.
    """

    name: str = Field(description="of the batch file, without folder and ending; part of every worker id")

    @model_serializer(mode="wrap")
    def _keep_what_was_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        return {key: value for key, value in written.items() if key in self.model_fields_set}

    def task(self, task_id: str) -> TaskSpec:
        """The task with this id; KeyError when there is none."""
        for task in self.tasks:
            if task.id == task_id:
                return task
        raise KeyError(task_id)


class TaskOrder(Frozen):
    """Everything one worker needs, resolved: the parameters of its flow run. Holds no secret.

    Made from batch over repository over block over default; pure JSON, because Prefect stores and shows it.
    `repository` is a path or a URL, and `worktree` may begin with `~`: each machine has its own clone and home.
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
    keep_ignored: tuple[str, ...] = ()
    merge: MergePolicy = MergePolicy.MANUAL
    merge_method: MergeMethod = MergeMethod.MERGE
    review_timeout: float = DEFAULT_REVIEW_TIMEOUT
    forge: ForgeKind | None = None
    pull_request: PullRequestSettings = PullRequestSettings()
    rework_rounds: int = DEFAULT_REWORK_ROUNDS
    metadata: Metadata = Metadata()
    policy_block: str | None = Field(default=None, description="name of the WorktreePolicy block")
    poll_seconds: float = 5.0

    @property
    def milestone(self) -> str | None:
        """The pull request's milestone by title: the task's own, else the batch's sprint; None without either."""
        return self.task.milestone or " ".join((self.metadata.sprint or "").split()) or None
