"""A batch file's errors: each with its line, all at once, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_workers.errors import InvalidSpecError, Problem
from parallel_workers.settings import RepositorySettings, parse_settings
from parallel_workers.spec import AgentProfile, Gate, MergeMethod, MergePolicy, PromptDelivery
from parallel_workers.validation import load_batch
from tests.unit.written_batches import check, problems_of, with_task

EXAMPLES = Path(__file__).parents[2] / "examples" / "batches"


def test_the_smallest_batch_has_all_defaults() -> None:
    batch = check(with_task())
    assert (batch.name, batch.project, batch.base_branch, batch.repository) == ("batch", "p", "main", ".")
    assert (batch.max_workers, batch.merge, batch.merge_method) == (3, MergePolicy.MANUAL, MergeMethod.MERGE)
    assert dict(batch.agents) == {}
    (task,) = batch.tasks
    assert (task.id, task.description, task.agent, task.priority) == ("T-1", "do", "code-author", 5)
    assert (task.dependencies, task.timeout, task.gates) == ((), None, None)


def test_the_seed_format_is_read_whole() -> None:
    batch = load_batch(EXAMPLES / "authentication.yml")
    assert (batch.name, batch.project) == ("authentication", "mice_dolphins")
    first, second, third = batch.tasks
    assert (first.id, first.agent, first.priority, first.estimated_hours) == ("TASK-001", "code-author", 10, 4.0)
    assert (first.dependencies, second.dependencies) == ((), ("TASK-001",))
    assert third.agent == "iac-engineer"
    assert batch.metadata.model_dump() == {"sprint": "Sprint 1", "epic": "#33", "complexity_level": 2, "phase": 5}


def test_every_optional_key_is_read() -> None:
    batch = load_batch(EXAMPLES / "release.yml")
    assert (batch.merge_method, batch.max_workers, batch.forge) == (MergeMethod.REBASE, 4, "local")
    profile = batch.agents["careful-author"]
    assert (profile.prompt, profile.timeout, profile.stall_timeout) == (PromptDelivery.STDIN, 7200.0, 900.0)
    assert batch.gates == (
        Gate(name="tests", run="make test", timeout=1200.0),
        Gate(name="make lint", run="make lint"),
    )
    rounding, export, changelog = batch.tasks
    assert (rounding.timeout, rounding.milestone, rounding.paths) == (5400.0, "2.4", ("src", "tests"))
    assert export.gates == (Gate(name="make test", run="make test"),)
    assert (export.merge, changelog.base_branch) == (MergePolicy.AUTO, "main")
    assert batch.metadata.model_extra == {"owner": "payments"}


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yml")), ids=lambda path: path.stem)
def test_every_example_holds(file: Path) -> None:
    assert load_batch(file).name == file.stem


def test_text_is_taken_as_it_was_written() -> None:
    batch = check(
        """
        project: 2026
        tasks:
          - {id: 007, description: 1.10, labels: [on, 3]}
          - {id: 1.10, description: true, dependencies: [007]}
        """
    )
    assert batch.project == "2026"
    assert [task.id for task in batch.tasks] == ["007", "1.10"]
    assert [task.description for task in batch.tasks] == ["1.10", "true"]
    assert batch.tasks[0].labels == ("on", "3")
    assert batch.tasks[1].dependencies == ("007",)


def test_a_key_left_empty_means_its_default() -> None:
    batch = check(with_task("dependencies:", "priority:", "milestone:", "timeout:", "gates:") + "metadata:\nagents:\n")
    (task,) = batch.tasks
    assert (task.dependencies, task.priority, task.milestone, task.timeout, task.gates) == ((), 5, None, None, None)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400), ('"90"', 90), ("1.5", 1.5)],
)
def test_durations(written: str, seconds: float) -> None:
    assert check(with_task(f"timeout: {written}")).tasks[0].timeout == seconds


def test_all_problems_come_at_once_in_line_order() -> None:
    found = problems_of(
        """\
        projct: p
        tasks:
          - id: A
            descripton: one
            priority: 11
            dependencies: [B, C, A]
          - id: B
            description: two
            agent: code-athor
            dependencies: [A]
          - id: B
            description: three
            id: D
        """
    )
    assert found == [
        "batch.yml:1: the key 'project' is missing (names the folder of the worktrees)",
        "batch.yml:1: unknown key 'projct' (did you mean 'project'?)",
        "batch.yml:3: task 'A': the key 'description' is missing (what is to be done, as you would tell a colleague)",
        "batch.yml:4: task 'A': unknown key 'descripton' (did you mean 'description'?)",
        "batch.yml:5: task 'A': priority must be at most 10, found 11 (1..10, higher first)",
        "batch.yml:6: task 'A': unknown dependency 'C' (known: B)",
        "batch.yml:6: task 'A' depends on itself (remove it)",
        "batch.yml:6: dependency cycle: A → B → A (remove one of these dependencies)",
        "batch.yml:9: task 'B': unknown agent 'code-athor' (did you mean 'code-author'?)",
        "batch.yml:11: the id 'B' is used twice: first in line 7 (rename one)",
        "batch.yml:13: the key 'id' is here twice: first in line 11 (remove one; the first would be used)",
    ]


def test_ids_that_would_share_a_branch_name_both_lines() -> None:
    (found,) = problems_of(
        "project: p\ntasks:\n  - {id: Add_Login, description: x}\n  - {id: add.login, description: y}\n"
    )
    assert found == (
        "batch.yml:4: the ids 'add.login' and 'Add_Login' (line 3) both become the branch feature/add-login"
        " (rename one)"
    )


def test_long_ids_that_differ_only_after_the_cut_are_told_apart_or_refused() -> None:
    first, second = "é" * 99 + "a", "é" * 99 + "b"
    assert (
        len(check(f"project: p\ntasks: [{{id: {first}, description: x}}, {{id: {second}, description: x}}]").tasks) == 2
    )


def test_each_cycle_is_printed_once() -> None:
    text = "project: p\ntasks:\n"
    for name, needs in {"A": "B", "B": "C", "C": "A", "D": "E, A", "E": "D"}.items():
        text += f"  - {{id: {name}, description: x, dependencies: [{needs}]}}\n"
    assert problems_of(text) == [
        "batch.yml:3: dependency cycle: A → B → C → A (remove one of these dependencies)",
        "batch.yml:6: dependency cycle: D → E → D (remove one of these dependencies)",
    ]


def test_an_unknown_dependency_names_the_nearest_id() -> None:
    (found,) = problems_of(
        "project: p\ntasks:\n  - {id: TASK-001, description: x}\n"
        "  - id: OTHER\n    description: y\n    dependencies:\n      - TASK-01\n"
    )
    assert found == "batch.yml:7: task 'OTHER': unknown dependency 'TASK-01' (did you mean 'TASK-001'?)"


def test_agents_of_the_batch_are_known() -> None:
    assert check(with_task("agent: mine") + "agents: {mine: {command: [x]}}\n").agents["mine"].command == ("x",)


def test_agents_of_the_repository_settings_are_known_when_they_can_be_asked_for() -> None:
    asked: list[tuple[str, str]] = []

    def settings_of(repository: str, base_branch: str) -> RepositorySettings:
        asked.append((repository, base_branch))
        return RepositorySettings(agents={"theirs": AgentProfile(command=("x",))})

    text = with_task("agent: theirs") + "repository: ../r\nbase_branch: dev\n"
    assert check(text, settings_of).tasks[0].agent == "theirs"
    assert asked == [("../r", "dev")]
    (found,) = problems_of(with_task("agent: thers"), settings_of)
    assert found == "batch.yml:5: task 'T-1': unknown agent 'thers' (did you mean 'theirs'?)"
    (found,) = problems_of(text)
    assert "unknown agent 'theirs'" in found


def test_the_settings_are_not_asked_for_without_need() -> None:
    def settings_of(repository: str, base_branch: str) -> RepositorySettings:
        raise AssertionError((repository, base_branch))

    assert check(with_task("agent: test-author"), settings_of).tasks[0].agent == "test-author"


def test_problems_of_the_settings_come_along() -> None:
    def settings_of(_repository: str, _base_branch: str) -> RepositorySettings:
        return parse_settings("agnts: {}\n", "main:.parallel-workers.yml")

    found = problems_of(with_task("agent: theirs"), settings_of)
    assert [line.partition(":")[0] for line in found] == ["batch.yml", "main"]


def test_a_file_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = Path(f"{tmp_path}/b\udce9.yml")
    path.write_text(with_task(), encoding="utf-8")
    with pytest.raises(InvalidSpecError, match="the file's name is not valid UTF-8"):
        load_batch(path)


def test_a_problem_reads_as_terminals_and_editors_link_it() -> None:
    assert str(Problem("a.yml", 3, "what", "how")) == "a.yml:3: what (how)"
    assert str(Problem("a.yml", 3, "what")) == "a.yml:3: what"
