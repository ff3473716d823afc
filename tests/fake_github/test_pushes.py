"""git over HTTP, and what pushes do to pull requests."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.fake_github.hub import Git, Hub


def test_a_private_repository_wants_a_credential(hub: Hub, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path / "nobody")}
    command = ["git", "ls-remote", hub.repository.clone_url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "could not read Username" in done.stderr
    assert hub.token not in " ".join(request.target for request in hub.server.requests)


def test_a_reader_may_fetch_and_not_push(hub: Hub) -> None:
    reader = hub.repository.give("reader", "read")
    store = Path.home() / ".git-credentials"
    store.write_text(store.read_text(encoding="utf-8").replace(hub.token, reader), encoding="utf-8")
    hub.git(hub.clone, "fetch", "--quiet", "origin")
    done = subprocess.run(
        ["git", "push", "origin", "HEAD:refs/heads/x"], cwd=hub.clone, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "403" in done.stderr


def test_merged_by_a_plain_push(hub: Hub) -> None:
    head = hub.open("feature/a").head.sha
    hub.git(hub.clone, "checkout", "--quiet", "main")
    hub.git(hub.clone, "merge", "--quiet", "--no-ff", "-m", "by hand", "feature/a")
    hub.push("main", {"later.txt": "l"})
    pull = hub.remote.get_pull(1)
    assert (pull.merged, pull.state, pull.head.sha) == (True, "closed", head)
    assert pull.merge_commit_sha == hub.git(hub.clone, "rev-parse", "main~1")


def test_merged_by_fast_forward(hub: Hub) -> None:
    head = hub.open("feature/a").head.sha
    hub.git(hub.clone, "push", "--quiet", "origin", "feature/a:main")
    assert hub.remote.get_pull(1).merge_commit_sha == head


def test_deleting_the_branch_closes(hub: Hub) -> None:
    head = hub.open("feature/a").head.sha
    hub.git(hub.clone, "push", "--quiet", "origin", ":feature/a")
    pull = hub.remote.get_pull(1)
    assert (pull.state, pull.merged_at, pull.head.sha) == ("closed", None, head)
    assert hub.git(hub.clone, "ls-remote", "origin", "refs/pull/1/head").split()[0] == head


def test_forcing_the_branch_onto_the_base_closes(hub: Hub) -> None:
    hub.open("feature/a")
    hub.git(hub.clone, "push", "--quiet", "--force", "origin", "main:feature/a")
    assert (hub.remote.get_pull(1).state, hub.remote.get_pull(1).merged) == ("closed", False)


def test_a_forced_push_moves_the_head(hub: Hub) -> None:
    hub.open("feature/a")
    sha = hub.push("feature/a", {"other.txt": "o"}, "--force")
    assert hub.remote.get_pull(1).head.sha == sha


def test_the_base_sha_stays_until_the_head_is_pushed(hub: Hub) -> None:
    first = hub.open("feature/a").base.sha
    newer = hub.push("main", {"main.txt": "m"})
    assert hub.remote.get_pull(1).base.sha == first
    hub.push("feature/a", {"b.txt": "b"}, start="feature/a")
    assert hub.remote.get_pull(1).base.sha == newer


def test_a_push_past_the_server_is_seen(hub: Hub, git: Git) -> None:
    hub.open("feature/a")
    git(hub.clone, "push", "--quiet", str(hub.repository.state.git.path), "feature/a:main")
    assert hub.remote.get_pull(1).merged


def test_pull_refs_cannot_be_pushed(hub: Hub) -> None:
    hub.open("feature/a")
    command = ["git", "push", "origin", "main:refs/pull/1/head", "--force"]
    done = subprocess.run(command, cwd=hub.clone, capture_output=True, text=True, check=False)
    assert "deny updating a hidden ref" in done.stderr


def test_a_large_push_in_chunks(hub: Hub) -> None:
    text = os.urandom(2_000_000).hex()
    sha = hub.push("feature/large", {"large.txt": text})
    assert hub.repository.branches()["feature/large"] == sha
