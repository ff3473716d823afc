"""Where credentials for GitHub come from, and what is said when they will not do: one line that names the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.github_side import github_side
from tests.e2e.product import Product, write_batch
from tests.fake_github.ci import CheckReport

APP_ID, APP_KEY = "PARALLEL_WORKERS_GITHUB_APP_ID", "PARALLEL_WORKERS_GITHUB_APP_KEY"
SAVE = """
import os
from blocks.forge import GitHubForge
GitHubForge(token=os.environ["TOKEN"], server_url=os.environ["SERVER"]).save("default", overwrite=True)
"""
FORGET = 'from blocks.forge import GitHubForge; GitHubForge.delete("default")'


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"GITHUB_TOKEN": ""}, "forge: github needs credentials: set GITHUB_TOKEN"),
        ({"GITHUB_SERVER_URL": "", "GITHUB_API_URL": "", "GITHUB_GRAPHQL_URL": ""}, "also set GITHUB_SERVER_URL"),
        ({"GITHUB_TOKEN": "", APP_ID: "1"}, "the private key is missing"),
        ({"GITHUB_TOKEN": "", APP_ID: "1", APP_KEY: "no key"}, "paste the whole file"),
        ({"GITHUB_SERVER_URL": "http://github.example.invalid"}, "is no https address of a GitHub server"),
    ],
    ids=["none", "of another server", "half an App", "no key", "plain http"],
)
def test_what_is_missing_is_said(product: Product, tmp_path: Path, git: Git, given: dict[str, str], told: str) -> None:
    spec = write_batch(tmp_path / "refused.yml", tmp_path / "clone", [{"id": "T"}], forge="github")
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub:
        ended = product.run(spec, **hub.environment | given)
        assert ended.exit_code == 2
        assert told in ended.stderr
        assert hub.pulls() == []


def test_the_block_is_enough(product: Product, tmp_path: Path, git: Git) -> None:
    spec = write_batch(tmp_path / "block.yml", tmp_path / "clone", [{"id": "T"}], forge="github")
    address = product.call("up", "--server-only").stdout.strip()
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub:
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])

        def save(code: str) -> None:
            api = {"PREFECT_API_URL": f"{address}/api", "TOKEN": hub.token, "SERVER": hub.server.url}
            command = [sys.executable, "-c", code]
            subprocess.run(command, env=product.environment | api, cwd=product.home, check=True, capture_output=True)

        save(SAVE)
        try:
            done = product.run(spec)
        finally:
            save(FORGET)
        assert done.results() == {"T": "merged"}, done.stderr
        assert [pull.author.login for pull in hub.pulls()] == ["worker"]
