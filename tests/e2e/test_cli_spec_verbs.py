"""`validate` and `schema`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]

from tests.conftest import Git
from tests.e2e.product import Product, Task, write_batch

BAD = """\
project: mice
base_brnch: main
tasks:
  - {id: A, description: x, dependencies: [B]}
  - {id: A, description: x, priority: 44}
"""


def test_validate_prints_the_plan(product: Product, make_repository: Callable[..., Path], tmp_path: Path) -> None:
    tasks: list[Task] = [{"id": "LATE", "dependencies": ["EARLY"]}, {"id": "EARLY", "priority": 9}, {"id": "FREE"}]
    spec = write_batch(tmp_path / "plan.yml", make_repository(), tasks)
    ended = product.call("validate", str(spec))
    assert ended.exit_code == 0
    rows = [line.split()[:2] for line in ended.stdout.splitlines()]
    assert rows == [["WAVE", "TASK"], ["1", "EARLY"], ["1", "FREE"], ["2", "LATE"]]
    assert "3 tasks" in ended.stderr
    told = product.call("validate", str(spec), "--json")
    assert (told.data["valid"], told.data["problems"]) == (True, [])
    assert [task["id"] for task in told.data["batch"]["tasks"]] == ["LATE", "EARLY", "FREE"]


def test_validate_prints_every_problem_with_its_place(product: Product, tmp_path: Path) -> None:
    spec = tmp_path / "bad.yml"
    spec.write_text(BAD, encoding="utf-8")
    ended = product.call("validate", str(spec))
    assert ended.exit_code == 2
    lines = ended.stdout.splitlines()
    assert [line.split(":")[1] for line in lines] == ["2", "4", "5", "5"]
    assert all(line.startswith(f"{spec}:") for line in lines)
    assert "did you mean 'base_branch'" in lines[0]
    told = product.call("validate", str(spec), "--json")
    assert told.exit_code == 2
    assert told.data["valid"] is False
    assert [problem["line"] for problem in told.data["problems"]] == [2, 4, 5, 5]


def test_validate_tells_of_a_repository_that_is_not_there_with_everything_else(
    product: Product, tmp_path: Path
) -> None:
    spec = tmp_path / "lost.yml"
    spec.write_text(f"project: p\nrepository: {tmp_path}/nowhere\ntasks:\n- {{id: A, descr: x}}\n", encoding="utf-8")
    ended = product.call("validate", str(spec), "--json")
    assert ended.exit_code == 2
    told = [(problem["line"], problem["message"]) for problem in ended.data["problems"]]
    assert (2, f"repository: {tmp_path}/nowhere is no folder, so no git repository can be there") in told
    assert {line for line, _ in told} == {2, 4}
    spec.write_text("project: p\nrepository: nowhere\ntasks: [{id: A, description: x}]\n", encoding="utf-8")
    assert product.call("validate", str(spec)).stdout.startswith(f"{spec}:2: repository: nowhere is no folder")
    (product.home / "nowhere").mkdir()  # relative to where the command is run, as `run` reads it
    try:
        assert f"{spec}:2: repository: nowhere is not in a git" in product.call("validate", str(spec)).stdout
    finally:
        (product.home / "nowhere").rmdir()


def test_a_batch_that_names_no_repository_needs_none_to_be_valid(product: Product, tmp_path: Path) -> None:
    spec = tmp_path / "here.yml"
    spec.write_text("project: p\ntasks: [{id: A, description: x}]\n", encoding="utf-8")
    assert product.call("validate", str(spec)).exit_code == 0


def test_validate_knows_the_agents_of_the_repository_settings(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository = make_repository()
    spec = tmp_path / "batch.yml"
    batch = {"project": "p", "repository": str(repository), "tasks": [{"id": "A", "description": "x", "agent": "ours"}]}
    spec.write_text(json.dumps(batch), encoding="utf-8")
    assert product.call("validate", str(spec)).exit_code == 2
    (repository / ".parallel-workers.yml").write_text("agents: {ours: {command: [make]}}\n", encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "chore: settings")
    ended = product.call("validate", str(spec))
    assert (ended.exit_code, ended.stdout.splitlines()[1].split()[:3]) == (0, ["1", "A", "ours"])


def _commit_settings(repository: Path, git: Git, text: str) -> None:
    (repository / ".parallel-workers.yml").write_text(text, encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "chore: settings")


def test_a_forge_that_cannot_be_used_is_a_problem_of_the_line_that_asks_for_it(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository, spec = make_repository(), tmp_path / "batch.yml"
    text = f"project: p\nrepository: {repository}\ntasks: [{{id: A, description: x}}]\n"
    spec.write_text(f"{text}forge: github\n", encoding="utf-8")
    told = product.call("validate", str(spec))
    assert (told.exit_code, told.stderr) == (2, "1 problem.\n")
    assert told.stdout.startswith(f"{spec}:4: forge: github needs a remote on GitHub")

    git(repository, "remote", "add", "origin", "https://github.com/o/r.git")
    data = {"PARALLEL_WORKERS_HOME": str(tmp_path / "data")}
    told = product.call("validate", str(spec), "--json", **data)
    assert (told.exit_code, told.data["valid"]) == (2, False)
    assert "forge: github needs credentials" in told.data["problems"][0]["message"]
    assert product.call("validate", str(spec), GITHUB_TOKEN="t0ken", **data).exit_code == 0
    assert not (tmp_path / "data" / "server").exists()


def test_validate_reads_the_forge_of_the_repository_settings(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository, spec = make_repository(), tmp_path / "batch.yml"
    text = f"project: p\nrepository: {repository}\ntasks: [{{id: A, description: x}}]\n"
    spec.write_text(text, encoding="utf-8")
    _commit_settings(repository, git, "merge: manual\nforge: github\n")
    told = product.call("validate", str(spec))
    assert told.exit_code == 2
    assert told.stdout.startswith("main:.parallel-workers.yml:2: forge: github needs a remote on GitHub")
    spec.write_text(f"{text}forge: local\n", encoding="utf-8")
    assert product.call("validate", str(spec)).exit_code == 0, "the batch's own wins"
    _commit_settings(repository, git, "forge: nowhere\n")
    assert product.call("validate", str(spec)).stdout.startswith("main:.parallel-workers.yml:1: ")


def test_a_bad_spec_starts_no_server(product: Product, tmp_path: Path) -> None:
    spec = tmp_path / "bad.yml"
    spec.write_text(BAD, encoding="utf-8")
    fresh = tmp_path / "data"
    ended = product.call("run", str(spec), PARALLEL_WORKERS_HOME=str(fresh))
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.count(f"{spec}:") == 4
    assert not (fresh / "server").exists()


def test_schema_accepts_what_validate_accepts(product: Product, tmp_path: Path) -> None:
    schema = product.call("schema").data
    spec = write_batch(tmp_path / "ok.yml", tmp_path, [{"id": "A"}])
    jsonschema.validate(json.loads(spec.read_text(encoding="utf-8")), schema)
