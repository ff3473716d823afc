"""The repository's own settings, and how they and the batch become the orders of its workers."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pydantic import Field

from parallel_workers.errors import InvalidSpecError
from parallel_workers.frozen_mapping import FrozenMapping
from parallel_workers.identity import branch_name, slugify, worker_id, worktree_path
from parallel_workers.profiles import resolve_profile
from parallel_workers.reading.model_checks import make_model
from parallel_workers.reading.yaml_documents import parse_document
from parallel_workers.spec import AgentProfile, BatchSpec, PullRequestSettings, Settings, TaskOrder, TaskSpec
from parallel_workers.spec_values import Line

SETTINGS_FILE = ".parallel-workers.yml"
"""At the repository's root, read from the base branch."""


class RepositorySettings(Settings):
    """What `.parallel-workers.yml` holds: defaults for every batch on this repository."""

    worktree_policy: Line | None = Field(default=None, description="name of the saved WorktreePolicy block to use")


class RepositoryPlace(Protocol):
    """A repository as far as orders name it; `ports.GitRepository` is one."""

    @property
    def path(self) -> Path:
        """Where it is opened, absolute."""
        ...

    @property
    def identity(self) -> str:
        """What names it on any machine."""
        ...


def parse_settings(text: str, file: str) -> RepositorySettings:
    """The settings in `text`; an empty file, or one of comments only, sets nothing. `file` is for messages.

    Raises:
        InvalidSpecError: with all problems, in line order.
    """
    document = parse_document(text, file)
    if document is None:
        return RepositorySettings()
    made, problems = make_model(RepositorySettings, document)
    problems = (*document.problems, *problems)
    if problems or made is None:
        raise InvalidSpecError(tuple(sorted(problems, key=lambda problem: problem.line)))
    return made


def apply_settings(batch: BatchSpec, settings: RepositorySettings) -> BatchSpec:
    """The batch with everything it does not set taken from the settings.

    Agents and how pull requests are opened are joined; the batch's win.
    """
    shared = settings.model_fields_set & Settings.model_fields.keys() - {"agents", "pull_request"}
    taken: dict[str, object] = {name: getattr(settings, name) for name in shared - batch.model_fields_set}
    taken["agents"] = FrozenMapping({**settings.agents, **batch.agents})
    if "pull_request" in settings.model_fields_set:
        taken["pull_request"] = join_pull_request_settings(settings.pull_request, batch.pull_request)
    return batch.model_copy(update=taken)


def join_pull_request_settings(wide: PullRequestSettings, narrow: PullRequestSettings | None) -> PullRequestSettings:
    """How a pull request is opened: `narrow` (a task's) beside `wide` (its batch's); of lists, each name once."""
    if narrow is None:
        return wide
    return PullRequestSettings(
        draft=wide.draft if narrow.draft is None else narrow.draft,
        reviewers=tuple(dict.fromkeys((*wide.reviewers, *narrow.reviewers))),
        assignees=tuple(dict.fromkeys((*wide.assignees, *narrow.assignees))),
        create_milestone=wide.create_milestone if narrow.create_milestone is None else narrow.create_milestone,
    )


def resolve_orders(
    batch: BatchSpec,
    settings: RepositorySettings,
    repository: RepositoryPlace,
    root: Path,
    poll_seconds: float,
    policy_block: str | None,
) -> tuple[TaskOrder, ...]:
    """One order per task, in spec order: task over batch over repository settings over default.

    `root` is the folder of all worktrees. `policy_block` names the WorktreePolicy block; the settings' when None.

    Raises:
        UsageError: a task names an agent that nobody declared, or one without a command.
    """
    whole = apply_settings(batch, settings)
    label = f"{slugify(batch.project)}/{batch.name}"
    profiles: dict[str, AgentProfile] = {}
    for task in batch.tasks:
        if task.agent not in profiles:
            profiles[task.agent] = resolve_profile(task.agent, whole.agents)
    return tuple(
        TaskOrder(
            worker=worker_id(repository.identity, label, task.id),
            batch=label,
            project=batch.project,
            repository=str(repository.path),
            task=task,
            base_branch=task.base_branch or whole.base_branch,
            branch=branch_name(task.id),
            worktree=str(worktree_path(root, batch.project, task.id)),
            agent=_limit_time(profiles[task.agent], task),
            gates=whole.gates if task.gates is None else task.gates,
            setup=whole.setup,
            keep_ignored=whole.keep_ignored,
            merge=task.merge or whole.merge,
            merge_method=whole.merge_method,
            review_timeout=whole.review_timeout,
            forge=whole.forge,
            pull_request=join_pull_request_settings(whole.pull_request, task.pull_request),
            rework_rounds=whole.rework_rounds,
            metadata=whole.metadata,
            policy_block=policy_block or settings.worktree_policy,
            poll_seconds=poll_seconds,
        )
        for task in batch.tasks
    )


def _limit_time(profile: AgentProfile, task: TaskSpec) -> AgentProfile:
    return profile if task.timeout is None else profile.model_copy(update={"timeout": task.timeout})
