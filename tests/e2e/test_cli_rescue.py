"""`rescue`: what removals have saved is listed, shown, brought back and dropped, with the command as a user has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.product import Ended, Product
from tests.git.folders import Picture, picture

Verb = Callable[..., Ended]


@pytest.fixture
def repository(make_repository: Callable[..., Path]) -> Path:
    return make_repository()


@pytest.fixture
def verb(product: Product, repository: Path, tmp_path: Path) -> Verb:
    """`verb("rescue", "list")` on the test's repository, without a server."""

    def call(*arguments: str) -> Ended:
        more = {"PARALLEL_WORKERS_HOME": str(tmp_path / "data"), "PARALLEL_WORKERS_WORKTREE_ROOT": str(tmp_path / "t")}
        return product.call(*arguments, "--repository", str(repository), **more)

    return call


@pytest.fixture
def lost(verb: Verb, git: Git) -> tuple[str, Picture]:
    """A worktree with work in it that was removed by force: the rescue's name, and what it held."""
    path = Path(verb("worktree", "create", "mice", "TASK-9", "main").stdout.strip())
    (path / "README.md").write_text("changed\n", encoding="utf-8")
    (path / "new.txt").write_text("new\n", encoding="utf-8")
    (path / "new.txt").chmod(0o755)
    git(path, "add", "README.md")
    held = picture(path)
    removed = verb("worktree", "remove", "mice", "TASK-9", "--force")
    assert removed.exit_code == 0
    name = removed.stdout.strip().removeprefix("refs/parallel-workers/rescue/")
    assert (
        f"get it back with: parallel-workers rescue restore {name} --worktree {path}-rescued --repository "
        in removed.stderr
    )
    return name, held


def test_listed_and_shown(verb: Verb, lost: tuple[str, Picture]) -> None:
    name, _ = lost
    (listed,) = verb("rescue", "list", "--json").data
    assert listed.keys() == {
        "rescue", "ref", "commit", "worker_id", "branch", "worktree", "head_sha", "saved_at", "age_seconds", "saved",
    }  # fmt: skip
    assert (listed["rescue"], listed["branch"]) == (name, "feature/task-9")
    assert listed["saved"] == ["1 staged file", "1 untracked file"]
    assert 0 <= listed["age_seconds"] < 600
    table = verb("rescue", "list").stdout
    assert table.splitlines()[0].split() == ["RESCUE", "AGE", "BRANCH", "SAVED"]
    assert verb("rescue", "list", "--older-than", "1d", "--json").data == []
    assert verb("rescue", "list", "--worker", "worker-00000000", "--json").data == []

    shown = verb("rescue", "show", listed["worker_id"], "--json").data
    assert shown["files"] == [
        {"path": "README.md", "kind": "staged", "deleted": False},
        {"path": "new.txt", "kind": "untracked", "deleted": False},
    ]
    text = verb("rescue", "show", name)
    assert "  S README.md\n  ? new.txt\n" in text.stdout
    assert f"rescue restore {name} --worktree {listed['worktree']}-rescued --repository " in text.stderr
    Path(f"{listed['worktree']}-rescued").mkdir()
    again = verb("rescue", "show", name)
    assert f"rescue restore {name} --worktree {listed['worktree']}-rescued-2 --repository " in again.stderr


def test_restored_as_it_was(verb: Verb, lost: tuple[str, Picture], tmp_path: Path, git: Git) -> None:
    name, held = lost
    back = tmp_path / "back"
    restored = verb("rescue", "restore", name, "--branch", "mine", "--worktree", str(back), "--json")
    assert restored.data["branch"] == "mine"
    assert restored.data["worktree"] == str(back)
    assert picture(back) == held
    assert git(back, "status", "--porcelain").split() == ["M", "README.md", "??", "new.txt"]

    for again in (("--branch", "mine"), ("--branch", "other", "--worktree", str(back))):
        refused = verb("rescue", "restore", name, *again)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "left as it is" in refused.stderr
    assert picture(back) == held
    branch = verb("rescue", "restore", name)
    assert branch.stdout.startswith("rescued/worker-")
    assert git(tmp_path / "repo", "show", f"{branch.stdout.strip()}:new.txt") == "new"


def test_dropped_by_name_or_age_and_only_then(
    verb: Verb, lost: tuple[str, Picture], repository: Path, git: Git
) -> None:
    name, _ = lost
    assert verb("rescue", "drop").exit_code == 2
    assert verb("rescue", "drop", name, "--older-than", "1d").exit_code == 2
    assert verb("rescue", "drop", "--older-than", "soon").exit_code == 2
    assert verb("rescue", "drop", "--older-than", "30d", "--json").data == {"dropped": []}
    dropped = verb("rescue", "drop", name)
    assert dropped.stdout == f"{name}\n"
    assert verb("rescue", "list", "--json").data == []
    undo = dropped.stderr.split("update-ref ")[1].split()[:2]
    git(repository, "update-ref", *undo)
    assert [one["rescue"] for one in verb("rescue", "list", "--json").data] == [name]
    assert verb("rescue", "drop", "--older-than", "0.001", "--json").data["dropped"][0]["rescue"] == name


@pytest.mark.parametrize("arguments", [("show", "nothing"), ("restore", "nothing"), ("drop", "nothing")])
def test_one_that_is_not_there(verb: Verb, arguments: tuple[str, ...]) -> None:
    ended = verb("rescue", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "no rescue is called 'nothing'; see: parallel-workers rescue list" in ended.stderr


def test_ignored_files_that_the_settings_name_come_back(verb: Verb, repository: Path, tmp_path: Path, git: Git) -> None:
    (repository / ".parallel-workers.yml").write_text("keep_ignored: ['.env', 'out/']\n", encoding="utf-8")
    (repository / ".gitignore").write_text(".env\nout\ncache\n", encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "settings")
    path = Path(verb("worktree", "create", "mice", "A", "main").stdout.strip())
    for name in (".env", "out/deep/report.txt", "cache/big.bin"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name, encoding="utf-8")
    removed = verb("worktree", "remove", "mice", "A", "--json")
    assert removed.exit_code == 0, "ignored files are saved without being asked"
    back = tmp_path / "back"
    assert verb("rescue", "restore", removed.data["rescue_ref"], "--worktree", str(back)).exit_code == 0
    assert (back / ".env").read_text(encoding="utf-8") == ".env"
    assert (back / "out/deep/report.txt").read_text(encoding="utf-8") == "out/deep/report.txt"
    assert not (back / "cache").exists()


def test_prune_saves_what_was_staged(verb: Verb, tmp_path: Path, git: Git) -> None:
    path = Path(verb("worktree", "create", "mice", "A", "main").stdout.strip())
    (path / "staged.txt").write_text("staged\n", encoding="utf-8")
    git(path, "add", "staged.txt")
    path.rename(tmp_path / "taken away")
    pruned = verb("worktree", "prune", "--json").data
    ref = pruned["rescue_refs"][str(path)]
    back = tmp_path / "back"
    assert verb("rescue", "restore", ref, "--worktree", str(back)).exit_code == 0
    assert (back / "staged.txt").read_text(encoding="utf-8") == "staged\n"
    assert git(back, "status", "--porcelain") == "A  staged.txt"
