"""The block with GitHub's credentials on a real Prefect server."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from blocks.forge import GitHubForge
from parallel_workers.errors import UsageError

ROOT = Path(__file__).parents[2]


async def test_the_block_is_registered_by_prefects_own_command(prefect_server: Any) -> None:
    register = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "prefect", "block", "register", "-m", "blocks.forge"),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await register.communicate()
    assert register.returncode == 0, said.decode()
    assert b"GitHub for parallel-workers" in said


async def test_what_is_saved_comes_back_and_is_shown_to_nobody(prefect_server: Any) -> None:
    name = f"saved-{uuid.uuid4().hex[:8]}"
    await GitHubForge(token="ghp_hidden", server_url="https://ghe.example").save(name)
    block = await GitHubForge.load_or_default(name)
    found = block.to_credentials({})
    assert found is not None
    assert found.token is not None
    assert found.token.get_secret_value() == "ghp_hidden"
    assert found.hosts.api_url == "https://ghe.example/api/v3"
    assert "ghp_hidden" not in f"{block!r} {found!r}"


async def test_without_one_the_environment_is_asked(prefect_server: Any) -> None:
    block = await GitHubForge.load_or_default()
    assert block.to_credentials({}) is None
    found = block.to_credentials({"GH_TOKEN": "ghp_other"})
    assert found is not None
    assert found.token is not None
    assert found.token.get_secret_value() == "ghp_other"
    with pytest.raises(UsageError, match="GITHUB_TOKEN"):
        await GitHubForge.load_or_default("nowhere-saved")
