"""Objects made here are what git makes of the same content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.command import run_git
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.adapters.local_forge.objects import (
    CommitDraft,
    Ident,
    ObjectType,
    make_commit,
    make_file_tree,
    make_object,
    make_pack,
)
from parallel_workers.pull_requests import MergeOutcome, PullRequestDraft
from parallel_workers.spec import MergeMethod

Git = Callable[..., str]
_IDENT = Ident("Ann Ägent <a@b.invalid> 1700000000 +0000")


@pytest.mark.parametrize("length", [40, 64], ids=["sha1", "sha256"])
def test_git_stores_a_pack_of_ours(tmp_path: Path, git: Git, length: int) -> None:
    git(tmp_path, "init", "--quiet", "--bare", f"--object-format={'sha1' if length == 40 else 'sha256'}", ".")
    like = "0" * length
    # sizes around each length of the size field, and content that does not compress
    sizes = (0, 1, 15, 16, 2047, 2048, 300_000)
    blobs = [make_object(ObjectType.BLOB, bytes(i * i % 251 for i in range(size)), like) for size in sizes]
    blob, tree = make_file_tree("report.md", "# grüße\n".encode(), like)
    commit = make_commit(CommitDraft(tree.sha, (), _IDENT, _IDENT, "subject\n"))
    run_git(tmp_path, "unpack-objects", "-q", "--strict", stdin=make_pack([*blobs, blob, tree, commit, commit]))
    for item in blobs:
        assert git(tmp_path, "cat-file", "-s", item.sha) == str(len(item.content))
    assert git(tmp_path, "show", f"{commit.sha}:report.md") == "# grüße"
    assert git(tmp_path, "log", "-1", "--format=%an|%at|%s", commit.sha) == "Ann Ägent|1700000000|subject"
    git(tmp_path, "fsck", "--strict")


def test_a_sha256_repository_has_pull_requests_too(tmp_path: Path, git: Git) -> None:
    repository = tmp_path / "sha256"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "--object-format=sha256", str(repository))
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "chore: begin")
    git(repository, "switch", "--quiet", "--create", "feature/a")
    (repository / "a.txt").write_text("a\n")
    git(repository, "add", "a.txt")
    git(repository, "commit", "--quiet", "--message", "feat: a")
    forge = open_local_forge(repository)
    head = git(repository, "rev-parse", "HEAD")
    pull = forge.ensure_pull_request(PullRequestDraft("worker-a", "A", "", "feature/a", head, "main"))
    assert forge.merge_pull_request(pull.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert git(repository, "show", "main:a.txt") == "a"
    git(repository, "fsck", "--strict")
