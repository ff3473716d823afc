"""Scenes on the fake GitHub: a course of events there for each thing that GitHub is asked for, people included."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from parallel_workers.crash_points import GITHUB_POINTS
from tests.chaos.scenes import GATES, Scene, agent_shell, git
from tests.e2e.github_side import GitHubSide, beside, github_side
from tests.e2e.product import write_batch
from tests.fake_github.ci import CheckReport, PushedHead

ALSO_ON_GITHUB = (
    "pr.begun",
    "push.pushed",
    "pr.pushed",
    "pr.opened",
    "pr.reported",
    "pr.recorded",
    "wait.begun",
    "merge.decided",
    "clean-up.begun",
    "clean-up.verified",
    "removal.remote-branch-deleted",
    "removal.refs-deleted",
    "clean-up.ended",
    "worker.state-told",
)
"""Of the points on the way of every task those between two effects on the forge, or on the remote."""

_REVIEWER, _MILESTONE, _LABELS = "reviewer", "Sprint 1", frozenset({"phase:5", "type:task", "area:shop"})
_NEEDS_HUMAN = "parallel-workers:needs-human"
_NEVER = 100_000.0
_LOOK_SECONDS = 0.1

Step = tuple[Callable[[GitHubSide], bool], Callable[[GitHubSide], object]]


class Course(NamedTuple):
    """What is special about a scene. `people` do each thing once, in this order, as soon as its condition holds.

    With `contend` its tasks write the same line. `comments` are those that the product is to make on each pull request.
    """

    tasks: int = 1
    contend: bool = False
    arrange: Callable[[GitHubSide], object] = lambda _hub: None
    people: Sequence[Step] = ()
    most_runs: int = 1
    rework_rounds: int = 3
    labels: frozenset[str] = _LABELS
    comments: int = 0


class Stage(NamedTuple):
    """A scene with the GitHub that it is on."""

    scene: Scene
    hub: GitHubSide
    course: Course


def course_to(point: str) -> Course:
    """A course of events in which the engine comes to this point."""
    return _COURSES.get(point, Course())


@contextmanager
def github_stage(folder: Path, name: str, course: Course, *, pause_seconds: float = 0.0) -> Iterator[Stage]:
    """A fresh one below `folder`, with people who do their part while inside."""
    folder = folder / name
    folder.mkdir(parents=True)
    journal, clone = folder / "journal", folder / "clone"
    shell = agent_shell(journal, contend=course.contend, pause_seconds=pause_seconds)
    tasks = tuple(f"T{number}" for number in range(1, course.tasks + 1))
    spec = write_batch(
        folder / f"{name}.yml",
        clone,
        [{"id": task, "shell": shell, "labels": ["area:shop"]} for task in tasks],
        forge="github",
        gates=GATES,
        rework_rounds=course.rework_rounds,
        pull_request={"create_milestone": True, "reviewers": [_REVIEWER]},
        metadata={"sprint": _MILESTONE, "phase": 5},
    )
    with github_side(folder, git, {"README.md": "# a project\n"}) as hub:
        hub.repository.give(_REVIEWER)
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        course.arrange(hub)
        scene = Scene(
            name=name,
            repository=clone,
            remote=hub.repository.state.git.path,
            spec=spec,
            journal=journal,
            tasks=tasks,
            heads=lambda _remote: [pull.head_branch for pull in hub.pulls()],
            environment=hub.environment,
        )
        with beside(partial(_act, hub, course.people)):
            yield Stage(scene, hub, course)


def wrong_on_github(stage: Stage) -> list[str]:
    """What is not as it should be on the pull requests, in words."""
    state, wrong = stage.hub.repository.state, []
    milestones = {one.title: number for number, one in state.milestones.items()}
    if len(milestones) != len(state.milestones) or set(milestones) != {_MILESTONE}:
        wrong.append(f"milestones: {sorted(one.title for one in state.milestones.values())}")
    for pull in stage.hub.pulls():
        reviewed = {review.author.login for review in pull.reviews}
        asked = [one.login for one in pull.reviewers if one.login not in reviewed]
        found = {
            "labels": {state.labels[key].name for key in pull.label_keys} == stage.course.labels,
            "milestone": pull.milestone == milestones.get(_MILESTONE),
            "reviewers": asked == ([] if _REVIEWER in reviewed else [_REVIEWER]),
            "comments": len(pull.comments) == stage.course.comments,
            "author": pull.author.login == "worker",
        }
        wrong += [f"{what} of #{pull.number}" for what, is_right in found.items() if not is_right]
    return wrong


def _act(hub: GitHubSide, steps: Sequence[Step], done: threading.Event) -> None:
    for condition, action in steps:
        while not condition(hub):
            if done.wait(_LOOK_SECONDS):
                return
        action(hub)


def _let_github_merge(hub: GitHubSide, *, after_seconds: float) -> None:
    """Its checks take a while, and it merges by itself then. Those of a second head are quick."""
    seen: set[str] = set()

    def ci(head: PushedHead) -> list[CheckReport]:
        seen.add(head.sha)
        return [CheckReport("unit", after_seconds=after_seconds if len(seen) == 1 else 0.0)]

    hub.repository.set_ci(ci)
    hub.repository.allow(allow_auto_merge=True)
    hub.repository.protect(required_checks=["unit"])


def _merges_by_itself(hub: GitHubSide) -> bool:
    return any(pull.auto_merge for pull in hub.pulls())


def _is_reworked(hub: GitHubSide) -> bool:
    return any(pull.head_sha != pull.reviews[0].commit_sha for pull in hub.pulls() if pull.reviews)


def _is_for_a_person(hub: GitHubSide) -> bool:
    return any(_NEEDS_HUMAN in pull.label_keys for pull in hub.pulls())


_AUTO = Course(arrange=lambda hub: _let_github_merge(hub, after_seconds=4.0))
_STOPPED = Course(
    arrange=lambda hub: _let_github_merge(hub, after_seconds=_NEVER),
    people=(
        (_merges_by_itself, lambda hub: hub.repository.review(1, _REVIEWER, "CHANGES_REQUESTED", "Not like this.")),
        (_is_reworked, lambda hub: hub.repository.review(1, _REVIEWER, "APPROVED")),
    ),
    most_runs=2,
)
_BEHIND = Course(tasks=2, arrange=lambda hub: hub.repository.protect(required_checks=["unit"], strict_up_to_date=True))
_STUCK = Course(
    arrange=lambda hub: hub.repository.set_ci(lambda _head: [CheckReport("unit", "failure")]),
    people=((_is_for_a_person, lambda hub: hub.repository.merge(1)),),
    rework_rounds=0,
    labels=_LABELS | {_NEEDS_HUMAN},
    comments=1,
)
_COURSES = {
    "github.auto-merge-enabled": _AUTO,
    "github.auto-merge-disabled": _STOPPED,
    "github.branch-updated": _BEHIND,
    "github.text-changed": Course(tasks=2, contend=True, most_runs=2),
    "github.comment-made": _STUCK,
    "github.labelled-for-person": _STUCK,
}
assert _COURSES.keys() <= set(GITHUB_POINTS)
