"""The Worktree Policy block on a real Prefect server."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from blocks.worktree_policy import WorktreePolicy
from parallel_workers.environment import SecretPolicy
from parallel_workers.errors import UsageError

ROOT = Path(__file__).parents[2]


async def test_the_block_is_registered_by_prefects_own_command(prefect_server: Any) -> None:
    register = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prefect", "block", "register", "-m", "blocks.worktree_policy"),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await register.communicate()
    assert register.returncode == 0, said.decode()
    assert b"Worktree Policy" in said


async def test_what_is_saved_comes_back(prefect_server: Any) -> None:
    name = f"saved-{uuid.uuid4().hex[:8]}"
    await WorktreePolicy(
        worktree_root="/srv/worktrees", kept_names=["PATH", "APP_*"], grants={"code-author": ["APP_TOKEN"]}
    ).save(name)
    block = await WorktreePolicy.load_or_default(name)
    assert block.resolved_root() == Path("/srv/worktrees")
    assert block.to_policy().grants == {"code-author": ("APP_TOKEN",)}
    assert block.preview({"APP_TOKEN": "s3cret", "APP_MODE": "x"}, agent="code-author").kept == (
        "APP_MODE",
        "APP_TOKEN",
    )


async def test_a_name_that_was_never_saved_is_refused(prefect_server: Any) -> None:
    with pytest.raises(UsageError, match="no Worktree Policy block 'nowhere-saved'"):
        await WorktreePolicy.load_or_default("nowhere-saved")


async def test_defaults_until_one_is_saved_as_default(prefect_server: Any) -> None:
    assert (await WorktreePolicy.load_or_default()).to_policy() == SecretPolicy()
    await WorktreePolicy(worktree_root="/srv/other").save("default", overwrite=True)
    try:
        assert (await WorktreePolicy.load_or_default()).worktree_root == "/srv/other"
    finally:
        await WorktreePolicy.adelete("default")
    assert (await WorktreePolicy.load_or_default()).worktree_root == "~/.worktrees"


def test_the_schema_does_not_change_unnoticed() -> None:
    """Appending a field is fine: then put the new list here. Reordering or renaming breaks saved blocks."""
    assert list(WorktreePolicy.model_fields) == ["worktree_root", "kept_names", "refused_patterns", "grants"]
    assert (WorktreePolicy.get_block_type_slug(), WorktreePolicy._block_type_name) == (
        "worktree-policy",
        "Worktree Policy",
    )


def test_the_root_is_absolute(isolated_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISK", "/mnt/disk")
    assert WorktreePolicy().resolved_root() == isolated_environment / ".worktrees"
    assert WorktreePolicy(worktree_root="$DISK/w").resolved_root() == Path("/mnt/disk/w")
    for bad in ("worktrees", "", "$NOT_SET_ANYWHERE/w"):
        with pytest.raises(UsageError, match="absolute"):
            WorktreePolicy(worktree_root=bad).resolved_root()


def test_a_preview_shows_names_and_reasons_and_no_value() -> None:
    given = {"PATH": "/s3cret", "FOO_TOKEN": "s3cret", "OTHER": "s3cret", "http_proxy": "http://u:s3cret@host"}
    preview = WorktreePolicy().preview(given)
    assert preview.kept == ("PATH", "http_proxy")
    assert preview.withheld.keys() == {"FOO_TOKEN", "OTHER"}
    assert preview.reduced.keys() == {"http_proxy"}
    assert "s3cret" not in str(preview)


def test_a_preview_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "s3cret")
    preview = WorktreePolicy().preview()
    assert "PATH" in preview.kept
    assert "MY_SERVICE_TOKEN" in preview.withheld
