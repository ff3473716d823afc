"""What `validate` says about each kind of slip, word for word."""

from __future__ import annotations

import pytest

from tests.unit.written_batches import problems_of, with_task

BATCH = with_task()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("priority: 0", "priority must be at least 1, found 0 (1..10, higher first)"),
        ("priority: high", "priority must be a whole number, found text 'high' (1..10, higher first)"),
        ('priority: "3"', "priority must be a whole number, found text '3' (remove the quotes)"),
        ("priority: true", "priority must be a whole number, found true (1..10, higher first)"),
        ("priority: 2.5", "priority must be a whole number, found 2.5 (1..10, higher first)"),
        ("estimated_hours: 1:30", "estimated_hours must be a number, found text '1:30' (for your planning)"),
        ("estimated_hours: 0", "estimated_hours must be more than 0, found 0 (for your planning)"),
        ("dependencies: T-2, T-3", "dependencies must be a list, found text 'T-2, T-3' (write a list: [T-2, T-3])"),
        (
            "dependencies: {a: 1}",
            "dependencies must be a list, found a mapping (ids of tasks that must be merged before)",
        ),
        (
            "agent: [x]",
            "agent must be text, found a list (code-author, test-author, iac-engineer, or one under `agents`)",
        ),
        ("timeout: soon", "timeout 'soon' is no duration (write seconds, or for example 90s, 30m, 2h, 1d)"),
        ("timeout: 0", "timeout must be more than 0, found 0 (seconds, or 90s, 30m, 2h; over the agent's)"),
        (
            "timeout: 999999d",
            "timeout must be at most 31,622,400, found text '999999d' (seconds, or 90s, 30m, 2h; over the agent's)",
        ),
        ("merge: atuo", "merge must be 'manual' or 'auto', found text 'atuo' (did you mean 'auto'?)"),
        ("base_branch: a..b", "base_branch 'a..b' contains '..', which no git ref name may"),
        ("base_branch: my branch", "base_branch 'my branch' contains a space, which no git ref name may"),
        (
            "base_branch: refs/heads/main",
            "base_branch 'refs/heads/main' is a full ref name (write the branch name: main)",
        ),
        ("base_branch: HEAD", "base_branch 'HEAD' is no branch name (write the name of the branch, such as main)"),
        ("base_branch: -x", "base_branch '-x' begins with '-', which no branch name may"),
        (
            "base_branch: feature/t-1",
            "base_branch 'feature/t-1' is the branch the task itself is worked on (name the branch to begin from)",
        ),
        (
            "paths: [../x]",
            "paths[0] '../x' leads out of the repository (write a folder relative to its root, such as src/api)",
        ),
        (
            "paths: [a, /etc]",
            "paths[1] '/etc' leads out of the repository (write a folder relative to its root, such as src/api)",
        ),
        ("paths: [.git/hooks]", "paths[0] '.git/hooks' is git's own folder"),
        ("labels: [" + "x" * 51 + "]", "labels[0] is longer than 50 characters: 51"),
        (
            'milestone: "a\\nb"',
            "milestone 'a b' contains a line break or a character that cannot be shown (keep it on one line)",
        ),
        ("gates: [{name: a}]", "gates[0]: the key 'run' is missing (shell command, run in the worktree; must exit 0)"),
        ("gates: [{name: a, run: b, timout: 3}]", "gates[0]: unknown key 'timout' (did you mean 'timeout'?)"),
        (
            "pull_request: {draft: yes}",
            "pull_request.draft must be true or false, found text 'yes' (write true, without quotes)",
        ),
        (
            'pull_request: {create_milestone: "false"}',
            "pull_request.create_milestone must be true or false, found text 'false' (write false, without quotes)",
        ),
        (
            "pull_request: {draft: 1}",
            "pull_request.draft must be true or false, found 1 (open as drafts; a person marks them ready)",
        ),
        (
            'pull_request: {reviewers: ["@ada"]}',
            "pull_request.reviewers[0] '@ada' begins with '@' (write the name alone: ada)",
        ),
        (
            "pull_request: {reviewers: [ada, a/b/c]}",
            "pull_request.reviewers[1] 'a/b/c' is neither a user name nor a team (write octocat, or organisation/team)",
        ),
        (
            'pull_request: {assignees: ["ada, grace"]}',
            "pull_request.assignees[0] 'ada, grace' is no user name: it has a space, ',' or ';' in it "
            "(write a list: [ada, grace])",
        ),
        (
            "pull_request: {assignees: [shop/web]}",
            "pull_request.assignees[0] 'shop/web' is a team, and only a user can be assigned",
        ),
        ("pull_request: {reviewer: [ada]}", "pull_request: unknown key 'reviewer' (did you mean 'reviewers'?)"),
        ("dependsOn: []", "unknown key 'dependsOn' (did you mean 'dependencies'?)"),
        ("desc: x", "unknown key 'desc' (did you mean 'description'?)"),
    ],
)
def test_a_bad_value_of_a_task(line: str, problem: str) -> None:
    (found,) = problems_of(with_task(line))
    assert found.removeprefix("batch.yml:5: task 'T-1'").removeprefix(": ") == problem


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('""', "id is empty (text that begins with '#' is a comment in YAML: put it in quotes)"),
        ("a b", "id 'a b' contains a space, which no git ref name may (for example 'a-b')"),
        ("a~1", "id 'a~1' contains '~', which no git ref name may (for example 'a-1')"),
        ("a..b", "id 'a..b' contains '..', which no git ref name may (for example 'a-b')"),
        (
            "a.lock",
            "id 'a.lock' is no git ref name: a part of it begins with '.' or ends with '.lock' (for example 'a-lock')",
        ),
        ("/a", "id '/a' is no git ref name: it begins with '/', or ends with '/' or '.', or is '@' (for example 'a')"),
        ("задача", "id 'задача' has no ASCII letter or digit to name a branch with (for example TASK-001)"),
        ('"--"', "id '--' has no ASCII letter or digit to name a branch with (for example TASK-001)"),
        ('"a\\tb"', "id 'a b' contains a line break or a character that cannot be shown (keep it on one line)"),
        ("x" * 101, "id is longer than 100 characters: 101"),
        (
            "[a]",
            "id must be text, found a list (names the branch and the worktree; unique in the batch, such as TASK-001)",
        ),
    ],
)
def test_a_bad_id(written: str, problem: str) -> None:
    (found,) = problems_of(f"project: p\ntasks:\n  - description: x\n    id: {written}\n")
    assert found.startswith("batch.yml:4: task ")
    assert found.endswith(f": {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("project: p\ntasks: []\n", "batch.yml:2: tasks is empty (the work, one pull request each)"),
        ("project: p\ntasks:\n", "batch.yml:2: tasks is empty (the work, one pull request each)"),
        ("project: p\n", "batch.yml:1: the key 'tasks' is missing (the work, one pull request each)"),
        ("project: p\ntasks: [3]\n", "batch.yml:2: task number 1 must be a mapping, found text '3'"),
        ("- a\n", "batch.yml:1: expected keys and values, found a list (begin with 'project:')"),
        ("hello\n", "batch.yml:1: expected keys and values, found text 'hello' (begin with 'project:')"),
        (BATCH + "name: x\n", "batch.yml:5: unknown key 'name' (known: "),
        (
            with_task("base_branch: feature"),
            "batch.yml:5: base_branch 'feature': git cannot have it beside feature/<task>",
        ),
        (BATCH + "max_workers: 0\n", "batch.yml:5: max_workers must be at least 1, found 0"),
        (
            BATCH + "forge: gitlab\n",
            "batch.yml:5: forge must be 'github' or 'local', found text 'gitlab' (did you mean 'github'?)",
        ),
        (BATCH + "rework_rounds: 21\n", "batch.yml:5: rework_rounds must be at most 20, found 21"),
        (BATCH + "pull_request: {drafts: true}\n", "batch.yml:5: pull_request: unknown key 'drafts' (did you mean"),
        (
            BATCH + "agents: {a: {command: claude -p}}\n",
            "batch.yml:5: agents.a.command must be a list, found text 'claude -p'",
        ),
        (BATCH + "agents: {a: {env: [AWS_*]}}\n", "batch.yml:5: agents.a.env[0] 'AWS_*' is no name of"),
        (BATCH + 'agents: {"": {}}\n', "batch.yml:5: agents: a name is empty"),
        (BATCH + "gates: [{name: a, run: b}, a]\n", "batch.yml:5: the gate 'a' is here twice: first in line 5"),
        (BATCH + "metadata: {phase: x}\n", "batch.yml:5: metadata.phase must be a whole number, found text 'x'"),
        (BATCH + "metadata: {sprnt: x}\n", "batch.yml:5: metadata: unknown key 'sprnt' (did you mean 'sprint'?)"),
        (BATCH + "metadata: 3\n", "batch.yml:5: metadata must be a mapping, found text '3'"),
        ("project: /\ntasks: [{id: a, description: x}]\n", "batch.yml:1: project '/' has no ASCII letter or digit"),
        ("project: #33\ntasks: [{id: a, description: x}]\n", "batch.yml:1: project is empty (text that begins"),
    ],
)
def test_a_bad_value_of_the_batch(text: str, problem: str) -> None:
    (found,) = problems_of(text)
    assert found.startswith(problem)
