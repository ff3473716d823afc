"""What a forge costs is the git processes it starts: counted by git itself, not by us."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parallel_workers.adapters.local_forge.forge import LocalForge, open_local_forge
from parallel_workers.pull_requests import MergeOutcome, PullRequest, PullRequestDraft
from parallel_workers.spec import MergeMethod

Git = Callable[..., str]


@contextmanager
def _processes(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[list[str]]:
    """The first words of the git commands that we start meanwhile (not those git starts itself)."""
    trace = folder / "trace.json"
    trace.unlink(missing_ok=True)
    names: list[str] = []
    with monkeypatch.context() as patch:
        patch.setenv("GIT_TRACE2_EVENT", str(trace))
        yield names
    for line in trace.read_text().splitlines() if trace.exists() else ():
        event = json.loads(line)
        if event["event"] == "cmd_name" and "/" not in event["sid"]:
            names.append(event["name"])


def _open_many(repository: Path, git: Git, count: int) -> tuple[LocalForge, list[PullRequest]]:
    base = git(repository, "rev-parse", "main")
    stream = []
    for number in range(count):
        stream += [f"commit refs/heads/feature/{number}", "committer A <a@b.invalid> 1700000000 +0000"]
        stream += ["data 5", "work", f"from {base}", f"M 644 inline {number}.txt", "data 2", "x", ""]
    text = "\n".join([*stream, "done", ""])
    subprocess.run(["git", "fast-import", "--quiet", "--done"], cwd=repository, input=text.encode(), check=True)
    forge = open_local_forge(repository)
    listed = git(repository, "for-each-ref", "--format=%(objectname) %(refname:lstrip=3)", "refs/heads/feature")
    rows = [line.split() for line in listed.split("\n")]
    drafts = [PullRequestDraft(f"worker-{n}", f"Do {n}", "report", f"feature/{n}", sha, "main") for sha, n in rows]
    return forge, [forge.ensure_pull_request(draft) for draft in drafts]


@pytest.fixture
def bare(make_repository: Callable[..., Path], git: Git) -> Path:
    """A bare repository that is its own host."""
    repository = make_repository(bare_remote=True).parent / "repo.git"
    git(repository, "remote", "remove", "origin")
    return repository


def test_opening_looking_and_merging_take_few_processes(
    bare: Path, git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forge, (first, second, *_) = _open_many(bare, git, 4)
    git(bare, "branch", "feature/new", first.head_sha)
    draft = PullRequestDraft("worker-new", "T", "b", "feature/new", first.head_sha, "main")
    with _processes(monkeypatch, tmp_path) as looking:
        forge.fetch_pull_requests()
    assert looking == ["for-each-ref"]
    with _processes(monkeypatch, tmp_path) as opening:
        forge.ensure_pull_request(draft)
    assert opening == ["for-each-ref", "unpack-objects", "update-ref"]
    with _processes(monkeypatch, tmp_path) as again:
        forge.ensure_pull_request(draft)
    assert again == ["for-each-ref"]
    with _processes(monkeypatch, tmp_path) as merging:
        assert forge.merge_pull_request(second.number, MergeMethod.MERGE).outcome is MergeOutcome.MERGED
    assert merging == ["for-each-ref", "merge-tree", "unpack-objects", "update-ref"]


@pytest.mark.parametrize("count", [4, 40])
def test_a_look_costs_the_same_however_many_are_open(
    bare: Path, git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int
) -> None:
    forge, pulls = _open_many(bare, git, count)
    forge.fetch_pull_requests()
    forge.merge_pull_request(pulls[0].number, MergeMethod.SQUASH)
    with _processes(monkeypatch, tmp_path) as after_our_merge:
        assert len(forge.fetch_pull_requests()) == count - 1
    assert after_our_merge == ["for-each-ref", "rev-list"]
    with _processes(monkeypatch, tmp_path) as fresh_after_our_merge:
        assert len(open_local_forge(bare).fetch_pull_requests()) == count - 1
    assert fresh_after_our_merge == ["rev-parse", "config", "for-each-ref", "cat-file", "rev-list"]
    git(
        bare,
        "update-ref",
        "refs/heads/main",
        git(bare, "commit-tree", "-p", "main", "-m", "x", pulls[1].head_sha + "^{tree}"),
    )
    with _processes(monkeypatch, tmp_path) as after_a_person:
        left = forge.fetch_pull_requests()
    assert pulls[1].number not in {pull.number for pull in left}
    assert len(after_a_person) <= 14
    with _processes(monkeypatch, tmp_path) as settled:
        assert forge.fetch_pull_requests() == left
    assert len(settled) <= 1
