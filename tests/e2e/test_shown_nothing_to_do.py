"""Agents that change nothing: saying so is a result, silence is a failure, and what was begun is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Git
from tests.e2e.prefect_view import read_run
from tests.e2e.product import Product, write_batch


def test_no_change_needed_is_a_result(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository = make_repository()
    before = git(repository, "rev-parse", "main")
    said = "echo 'PARALLEL_WORKERS_RESULT: no-change-needed it is there already'"
    done = product.run(write_batch(tmp_path / "idle.yml", repository, [{"id": "IDLE", "shell": said}]))
    assert done.exit_code == 0, done.stderr
    assert done.results() == {"IDLE": "no_change"}
    run = read_run(product, done.data["tasks"][0]["flow_run_id"])
    assert run.state is not None
    assert run.state.type == "COMPLETED"
    assert run.state.name != "MERGED"
    assert run.state.message == "no change needed: it is there already"
    assert product.call("pr", "list", "--state", "all", "--repository", str(repository), "--json").data == []
    assert git(repository, "rev-parse", "main") == before
    assert "feature/" not in git(repository, "for-each-ref")
    assert len(git(repository, "worktree", "list").splitlines()) == 1


def test_nothing_done_is_a_failure(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository = make_repository()
    lazy = "echo 'I would rather not'; mkdir -p notes; echo idea > .git-ignored-notes"
    git(repository, "config", "core.excludesFile", str(tmp_path / "excluded"))
    (tmp_path / "excluded").write_text(".git-ignored-notes\n")
    done = product.run(write_batch(tmp_path / "lazy.yml", repository, [{"id": "LAZY", "shell": lazy}]))
    assert done.exit_code == 1
    assert done.results() == {"LAZY": "failed"}
    assert "I would rather not" in done.reasons()["LAZY"]
    assert read_run(product, done.data["tasks"][0]["flow_run_id"]).state_name == "Failed"
    assert product.call("pr", "list", "--state", "all", "--repository", str(repository), "--json").data == []
    assert (product.home / ".worktrees" / "lazy" / "lazy" / ".git-ignored-notes").read_text() == "idea\n"
    assert git(repository, "rev-parse", "feature/lazy") == git(repository, "rev-parse", "main")


def test_what_a_failed_agent_did_is_kept_and_taken_up_again(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    repository = make_repository(bare_remote=True)
    allowed = tmp_path / "allowed"
    shell = f"echo one >> steps.txt; test -e '{allowed}'"
    spec = write_batch(tmp_path / "again.yml", repository, [{"id": "AGAIN", "shell": shell}])
    assert product.run(spec).results() == {"AGAIN": "failed"}
    assert (product.home / ".worktrees" / "again" / "again" / "steps.txt").read_text() == "one\n"
    allowed.touch()
    again = product.run(spec)
    assert again.results() == {"AGAIN": "merged"}, again.stderr
    assert git(tmp_path / "repo.git", "show", "main:steps.txt") == "one\none"
