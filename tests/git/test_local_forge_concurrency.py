"""Many threads and processes on one repository, and processes that die half way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import parallel_workers
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.adapters.local_forge.host import find_host
from parallel_workers.adapters.local_forge.refs import LocalRefStore, LostRaceError, RefUpdate, head_ref
from parallel_workers.pull_requests import MergeOutcome, PullRequestDraft, PullRequestState
from parallel_workers.spec import MergeMethod

Git = Callable[..., str]
Make = Callable[..., Path]

_PROCESSES, _THREADS = 3, 20

_WORK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.pull_requests import MergeOutcome, PullRequestDraft
from parallel_workers.spec import MergeMethod

forge = open_local_forge(Path(sys.argv[1]))
methods = list(MergeMethod)

def carry_out(line):
    name, sha = line.split()
    # every worker of the first ten is carried out by all processes: as after a restart that was none
    worker = f"worker-{name}"
    draft = PullRequestDraft(worker, f"Do {name}", "report", f"feature/{name}", sha, "main")
    pull = forge.ensure_pull_request(draft)
    forge.fetch_pull_requests()
    attempt = forge.merge_pull_request(pull.number, methods[pull.number % 3])
    assert attempt.outcome is MergeOutcome.MERGED, attempt
    assert forge.is_content_in_base(attempt.pull_request), attempt
    return f"{name} {pull.number}"

with ThreadPoolExecutor(int(sys.argv[2])) as pool:
    print("\\n".join(pool.map(carry_out, sys.stdin.read().splitlines())))
"""


def _branches(repository: Path, names: list[str], git: Git) -> dict[str, str]:
    """A branch for each name, one commit with one file of its own, made in one process."""
    base = git(repository, "rev-parse", "main")
    stream = []
    for name in names:
        stream += [f"commit refs/heads/feature/{name}", "committer A <a@b.invalid> 1700000000 +0000"]
        stream += ["data 5", "work", f"from {base}", f"M 644 inline {name}.txt", "data 2", "x", ""]
    text = "\n".join([*stream, "done", ""])
    subprocess.run(["git", "fast-import", "--quiet", "--done"], cwd=repository, input=text.encode(), check=True)
    return {name: git(repository, "rev-parse", f"feature/{name}") for name in names}


@pytest.mark.parametrize("bare", [True, False], ids=["bare-remote", "checked-out"])
def test_threads_of_several_processes_open_and_merge_at_once(
    make_repository: Make, git: Git, tmp_path: Path, *, bare: bool
) -> None:
    clone = make_repository(bare_remote=bare)
    hosted = tmp_path / "repo.git" if bare else clone
    shared = [f"shared-{number}" for number in range(10)]
    own = [[f"own-{process}-{number}" for number in range(10)] for process in range(_PROCESSES)]
    heads = _branches(hosted, shared + [name for names in own for name in names], git)
    path = str(Path(parallel_workers.__file__).parents[1])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r})\n{_WORK}", str(clone), str(_THREADS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(_PROCESSES)
    ]
    for process, names in zip(started, own, strict=True):
        assert process.stdin
        process.stdin.write("".join(f"{name} {heads[name]}\n" for name in shared + names))
        process.stdin.close()
        process.stdin = None
    answers = [process.communicate(timeout=170) for process in started]
    assert [process.returncode for process in started] == [0] * _PROCESSES, answers
    numbers: dict[str, set[str]] = {}
    for output, _ in answers:
        for line in output.splitlines():
            name, number = line.split()
            numbers.setdefault(name, set()).add(number)
    # nobody's worker has two pull requests, nobody shares one, none is missing
    assert all(len(found) == 1 for found in numbers.values())
    assert {number for found in numbers.values() for number in found} == {str(n) for n in range(1, len(heads) + 1)}
    listed = open_local_forge(clone).fetch_pull_requests(include_ended=True)
    assert {pull.state for pull in listed} == {PullRequestState.MERGED}
    assert len(listed) == len(heads)
    in_base = set(git(hosted, "ls-tree", "-r", "--name-only", "main").split())
    assert {f"{name}.txt" for name in heads} <= in_base
    # each merged once: a merge commit, a squash or a replayed commit, and the merged branch's own commit
    merges = {pull.merge_sha for pull in listed}
    assert merges <= set(git(hosted, "rev-list", "--first-parent", "main").split())
    assert len(merges) == len(heads)
    git(hosted, "fsck", "--strict")
    if not bare:
        assert git(clone, "status", "--porcelain") == ""
    assert git(hosted, "for-each-ref", "--format=%(refname)", "refs/parallel-workers").count("\n") + 1 == 2 * len(heads)


@pytest.mark.parametrize("method", list(MergeMethod), ids=lambda method: method.value)
def test_a_merge_killed_between_its_two_refs_is_seen_as_merged_once(
    make_repository: Make, git: Git, method: MergeMethod
) -> None:
    repository = make_repository(bare_remote=True).parent / "repo.git"
    git(repository, "remote", "remove", "origin")
    heads = _branches(repository, ["one", "two"], git)
    forge = open_local_forge(repository)
    one, two = (
        forge.ensure_pull_request(PullRequestDraft(f"worker-{name}", name, "", f"feature/{name}", sha, "main"))
        for name, sha in heads.items()
    )
    meta = git(repository, "rev-parse", f"refs/parallel-workers/pulls/{one.number}/meta")
    # so that a rebase makes a new commit
    forge.merge_pull_request(two.number, MergeMethod.SQUASH)
    merged = forge.merge_pull_request(one.number, method).pull_request
    # the base has moved; the pull request's own ref is put back to where a kill would have left it
    git(repository, "update-ref", f"refs/parallel-workers/pulls/{one.number}/meta", meta)
    base = git(repository, "rev-parse", "main")
    for again in (open_local_forge(repository), forge):
        found = again.fetch_pull_request(one.number)
        assert (found.state, found.merge_sha) == (PullRequestState.MERGED, merged.merge_sha)
        assert again.merge_pull_request(one.number, method).outcome is MergeOutcome.MERGED
    git(repository, "update-ref", f"refs/parallel-workers/pulls/{one.number}/meta", meta)
    attempt = open_local_forge(repository).merge_pull_request(one.number, method)
    assert attempt.outcome is MergeOutcome.MERGED
    assert git(repository, "rev-parse", "main") == base


def test_refs_move_all_or_none(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    base = git(repository, "rev-parse", "main")
    head = _branches(repository, ["one"], git)["one"]
    store = LocalRefStore(find_host(repository))
    with pytest.raises(LostRaceError):
        store.move([RefUpdate("refs/heads/main", head, base), RefUpdate(head_ref(1), head, head)], "test")
    with pytest.raises(LostRaceError):
        store.move([RefUpdate(head_ref(1), head, ""), RefUpdate("refs/heads/main", head, "")], "test")
    assert git(repository, "rev-parse", "main") == base
    assert store.read().pulls == {}


def test_a_base_moved_by_somebody_else_is_merged_into_not_over(make_repository: Make, git: Git) -> None:
    repository = make_repository(bare_remote=True).parent / "repo.git"
    git(repository, "remote", "remove", "origin")
    heads = _branches(repository, ["one", "two"], git)
    forge = open_local_forge(repository)
    draft = PullRequestDraft("worker-one", "one", "", "feature/one", heads["one"], "main")
    pull = forge.ensure_pull_request(draft)
    git(repository, "update-ref", "refs/heads/main", heads["two"])
    assert forge.merge_pull_request(pull.number, MergeMethod.SQUASH).outcome is MergeOutcome.MERGED
    assert git(repository, "rev-parse", "main~1") == heads["two"]
