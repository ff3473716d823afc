"""The fake over https, with an authority that only those trust who were told so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import requests
from github import Auth, Github

from tests.fake_github.fixtures import running_fake_github
from tests.fake_github.hub import Git
from tests.fake_github.tls import make_tls_files


def test_https_for_who_knows_the_authority(tmp_path: Path, git: Git) -> None:
    files = make_tls_files(tmp_path / "tls")
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "--quiet", "--initial-branch=main")
    git(source, "commit", "--quiet", "--allow-empty", "--message", "chore: begin")
    with running_fake_github(tmp_path, tls=files) as server:
        repository = server.repository("octo/project", source)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{server.api_url}/rate_limit", timeout=5)
        client = Github(
            auth=Auth.Token(repository.give("worker")), base_url=server.api_url, verify=str(files.authority)
        )
        assert client.get_repo("octo/project").clone_url == repository.clone_url
        client.close()
        command = ["git", "ls-remote", repository.clone_url, "main"]
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0
        trusting = {**os.environ, "GIT_SSL_CAINFO": str(files.authority)}
        done = subprocess.run(command, env=trusting, capture_output=True, text=True, check=True)
        assert done.stdout.split()[0] == repository.branches()["main"]
