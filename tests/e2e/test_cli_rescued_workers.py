"""Workers removed by each verb that needs a server: what they held is saved, said, and comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Git
from tests.e2e.product import Product, write_batch
from tests.git.folders import picture

FORCED = "echo one > f.txt; git add f.txt; echo two >> f.txt; ln -s /etc away; echo '#!' > run; chmod +x run; exit 1"
TASKS = (
    {"id": "merged", "shell": "echo work > work.txt; echo SECRET > .env"},
    {"id": "forced", "shell": FORCED},
    {"id": "stashed", "shell": "echo stashed > README.md; git stash push -q; exit 1"},
    {"id": "dirty", "shell": "echo x > x.txt; exit 1"},
)


@pytest.fixture
def repository(make_repository: Callable[..., Path]) -> Path:
    return make_repository(files={"README.md": "# a project\n", ".gitignore": ".env\n"})


def test_each_verb_saves_and_says_the_way_back(product: Product, repository: Path, tmp_path: Path, git: Git) -> None:
    trees = {"PARALLEL_WORKERS_WORKTREE_ROOT": str(tmp_path / "trees")}
    batch = write_batch(tmp_path / "rescued.yml", repository, TASKS, keep_ignored=[".env"])
    assert product.run(batch, **trees).results()["merged"] == "merged"

    def rescues() -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = product.call("rescue", "list", "--repository", str(repository), "--json").data
        return listed

    def restore(rescue: dict[str, Any]) -> Path:
        back = tmp_path / f"back-{rescue['branch'].rpartition('/')[2]}"
        named = ("--worktree", str(back), "--repository", str(repository))
        assert product.call("rescue", "restore", rescue["rescue"], *named).exit_code == 0
        return back

    (after_merge,) = rescues()
    assert after_merge["saved"] == ["1 ignored file"]
    assert (restore(after_merge) / ".env").read_text(encoding="utf-8") == "SECRET\n"

    path = tmp_path / "trees/rescued/forced"
    held = picture(path)
    ended = product.call("terminate", "forced", "--force", "--json")
    assert ended.exit_code == 0, ended.stderr
    assert not path.exists()
    newest = rescues()[0]
    assert ended.data["rescue_ref"] == newest["ref"]
    assert f"get it back with: parallel-workers rescue restore {newest['rescue']}" in ended.stderr
    back = restore(newest)
    assert picture(back) == held
    assert git(back, "status", "--porcelain").splitlines() == ["AM f.txt", "?? away", "?? run"]

    cleaned = product.call("cleanup", "--state", "UNKNOWN", "--project", "rescued", "--json").data
    by_task = {one["task_id"]: one for one in cleaned}
    assert by_task["dirty"]["removed"] is False
    assert "x.txt" in by_task["dirty"]["reason"]
    assert by_task["stashed"]["removed"] is True
    assert by_task["stashed"]["rescue_ref"] == rescues()[0]["ref"]
    assert "rescue restore" in by_task["stashed"]["reason"]
    assert len(rescues()) == 3, "cleaning up drops none"
