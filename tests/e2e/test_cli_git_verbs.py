"""`worktree` and `pr` need git and nothing else: no server is started for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.worker_lock import worker_lock
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.pull_requests import PullRequest, PullRequestDraft
from tests.conftest import Git
from tests.e2e.product import Ended, Product

Verb = Callable[..., Ended]


@pytest.fixture
def repository(make_repository: Callable[..., Path]) -> Path:
    return make_repository()


@pytest.fixture
def verb(product: Product, repository: Path, tmp_path: Path) -> Verb:
    """`verb("pr", "list")` on the test's repository, with a data folder without a server."""

    def call(*arguments: str) -> Ended:
        data, root = str(tmp_path / "data"), str(tmp_path / "trees")
        where = ("--repository", str(repository))
        more = {"PARALLEL_WORKERS_HOME": data, "PARALLEL_WORKERS_WORKTREE_ROOT": root}
        return product.call(*arguments, *where, **more)

    return call


def test_a_worktree_from_making_to_removal(verb: Verb, repository: Path, tmp_path: Path, git: Git) -> None:
    path = tmp_path / "trees" / "mice" / "task-9"
    made = verb("worktree", "create", "mice", "TASK-9", "main")
    assert (made.exit_code, made.stdout) == (0, f"{path}\n")
    assert git(path, "branch", "--show-current") == "feature/task-9"
    again = verb("worktree", "create", "mice", "TASK-9", "main", "--json")
    assert (again.data["worktree"], again.data["adopted"]) == (str(path), True)
    assert (again.data["task_id"], again.data["branch"]) == ("TASK-9", "feature/task-9")
    worker = again.data["worker_id"]
    assert worker.startswith("worker-")

    git(path, "commit", "--quiet", "--allow-empty", "--message", "work")
    (path / "new.txt").write_text("new\n", encoding="utf-8")
    status = verb("worktree", "status", "mice", "TASK-9", "--json")
    assert (status.data["commits_ahead"], status.data["untracked"], status.data["clean"]) == (1, ["new.txt"], False)
    assert "? new.txt" in verb("worktree", "status", "mice", "TASK-9").stdout
    listed = verb("worktree", "list", "mice", "--json").data
    assert [(one["worktree"], one["branch"]) for one in listed] == [(str(path), "feature/task-9")]
    assert (listed[0]["worker_id"], status.data["worker_id"], status.data["worktree"]) == (worker, worker, str(path))
    assert not {"path", "worker"} & (again.data.keys() | status.data.keys() | listed[0].keys())

    refused = verb("worktree", "remove", "mice", "TASK-9")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert (path / "new.txt").exists()
    forced = verb("worktree", "remove", "mice", "TASK-9", "--force")
    assert forced.exit_code == 0
    assert git(repository, "show", f"{forced.stdout.strip()}:new.txt") == "new"
    assert not path.exists()
    assert git(repository, "rev-parse", "--verify", "feature/task-9")


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_that_of_a_worker_at_work_is_kept(
    verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: tuple[str, ...]
) -> None:
    made = verb("worktree", "create", "mice", "TASK-9", "main", "--json").data
    monkeypatch.setenv("PARALLEL_WORKERS_HOME", str(tmp_path / "data"))

    with worker_lock(made["worker_id"]):
        refused = verb("worktree", "remove", "mice", "TASK-9", *force)

    assert refused.exit_code == 1
    assert f"end that first: parallel-workers terminate {made['worker_id']}" in refused.stderr
    assert Path(made["worktree"]).is_dir()
    assert verb("worktree", "remove", "mice", "TASK-9").exit_code == 0


def test_other_projects_are_not_listed(verb: Verb) -> None:
    assert verb("worktree", "create", "mice", "A", "main").exit_code == 0
    other = verb("worktree", "list", "dolphins")
    assert (other.exit_code, other.stdout) == (0, "")
    assert "No worktrees of dolphins" in other.stderr


def test_prune_forgets_a_folder_that_is_gone(verb: Verb, tmp_path: Path, repository: Path, git: Git) -> None:
    path = Path(verb("worktree", "create", "mice", "A", "main").stdout.strip())
    path.rename(tmp_path / "elsewhere")
    pruned = verb("worktree", "prune", "--json")
    assert pruned.data == {"pruned": [str(path)], "rescue_refs": {}}
    assert str(path) not in git(repository, "worktree", "list")
    assert verb("worktree", "prune", "--json").data == {"pruned": [], "rescue_refs": {}}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("worktree", "create", "mice", "A", "mian"), 1, "did you mean main"),
        (("worktree", "create", "mice", "!!", "main"), 2, "no letter or digit"),
        (("worktree", "status", "mice", "A"), 1, "no worktree at"),
        (("worktree", "remove", "mice", "A"), 1, "no worktree at"),
        (("pr", "show", "7"), 1, "no pull request #7"),
        (("pr", "merge", "7"), 1, "no pull request #7"),
    ],
)
def test_what_is_not_there_is_said(verb: Verb, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = verb(*arguments)
    assert (ended.exit_code, ended.stdout) == (code, "")
    assert said in ended.stderr


def open_pull_request(repository: Path, git: Git, name: str, text: str) -> PullRequest:
    """A branch `feature/<name>` from main that writes `<name>`'s line into shared.txt, and its pull request."""
    git(repository, "switch", "--quiet", "--create", f"feature/{name}", "main")
    (repository / "shared.txt").write_text(text, encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", f"feat: {name}")
    head = open_repository(repository).push_branch(f"feature/{name}")
    git(repository, "switch", "--quiet", "main")
    draft = PullRequestDraft(f"worker-{name}", f"Add {name}", f"Body of {name}", f"feature/{name}", head, "main")
    return open_local_forge(repository).ensure_pull_request(draft)


def test_pull_requests_are_listed_shown_merged_and_closed(verb: Verb, repository: Path, git: Git) -> None:
    one = open_pull_request(repository, git, "one", "one\n").number
    two = open_pull_request(repository, git, "two", "two\n").number
    three = open_pull_request(repository, git, "three", "three\n").number
    listed = verb("pr", "list", "--json").data
    assert [pull["pr_number"] for pull in listed] == [one, two, three]
    assert listed[0].keys() >= {"pr_url", "worker_id", "branch", "base_branch", "state", "reason", "title", "labels"}
    assert (listed[0]["worker_id"], listed[0]["branch"]) == ("worker-one", "feature/one")
    assert not {"number", "url", "worker", "head_branch"} & listed[0].keys()
    assert verb("pr", "show", str(one), "--json").data.keys() >= listed[0].keys()

    shown = verb("pr", "show", str(one)).stdout
    for part in ("Add one", "open", "feature/one into main", "feat: one", "shared.txt | 1 +", "Body of one"):
        assert part in shown

    merged = verb("pr", "merge", str(one), "--squash")
    assert (merged.exit_code, merged.stdout.strip()) == (0, git(repository, "rev-parse", "main"))
    assert git(repository, "show", "main:shared.txt") == "one"
    assert len(git(repository, "rev-list", "main").splitlines()) == 2
    assert "feat: one" in verb("pr", "show", str(one)).stdout

    before = git(repository, "rev-parse", "main")
    conflict = verb("pr", "merge", str(two), "--json")
    assert (conflict.exit_code, conflict.data["outcome"], conflict.data["files"]) == (1, "conflict", ["shared.txt"])
    assert (conflict.data["pr_number"], conflict.data["state"]) == (two, "open")
    assert conflict.data["reason"]
    assert git(repository, "rev-parse", "main") == before

    closed = verb("pr", "close", str(three), "--reason", "not now", "--json")
    assert (closed.data["state"], closed.data["reason"]) == ("closed", "not now")
    assert verb("pr", "merge", str(three)).exit_code == 1
    by_state = {
        state: [pull["pr_number"] for pull in verb("pr", "list", "--state", state, "--json").data]
        for state in ("open", "merged", "closed", "all")
    }
    assert by_state == {"open": [two], "merged": [one], "closed": [three], "all": [one, two, three]}


def test_no_pull_requests_is_said_on_stderr(verb: Verb) -> None:
    ended = verb("pr", "list")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "No open pull requests.\n")


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        (("pr", "list"), "https://github.com/o/r/pulls"),
        (("pr", "show", "7"), "https://github.com/o/r/pull/7"),
        (("pr", "merge", "7"), "https://github.com/o/r/pull/7"),
        (("pr", "close", "7"), "https://github.com/o/r/pull/7"),
        (("pr", "hand-back", "7"), "https://github.com/o/r/pull/7"),
    ],
)
def test_the_page_is_named_where_pull_requests_live_on_github(
    product: Product, repository: Path, tmp_path: Path, git: Git, arguments: tuple[str, ...], page: str
) -> None:
    git(repository, "remote", "add", "origin", "git@github.com:o/r.git")
    more = {"PARALLEL_WORKERS_HOME": str(tmp_path / "data"), "GITHUB_TOKEN": "t0ken"}
    ended = product.call(*arguments, "--repository", str(repository), **more)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.strip().endswith(f"pull requests of this repository live on GitHub: see {page}")
    assert not (tmp_path / "data" / "server").exists()


def test_without_credentials_a_remote_on_github_that_cannot_be_read_names_the_page(
    product: Product, repository: Path, tmp_path: Path, git: Git
) -> None:
    server = "http://127.0.0.1:9"
    git(repository, "remote", "add", "origin", f"{server}/o/r.git")
    more = {"PARALLEL_WORKERS_HOME": str(tmp_path / "data"), "GITHUB_SERVER_URL": server}
    ended = product.call("pr", "list", "--repository", str(repository), **more)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert f"see {server}/o/r/pulls" in ended.stderr
