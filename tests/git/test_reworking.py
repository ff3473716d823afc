"""A branch that others have added to, and a base that has moved: taken in without losing a commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import ForeignCommitsError, RewrittenBranchError
from tests.conftest import Git
from tests.git.conftest import MakePlan

BRANCH = "feature/task-1"


class Place(NamedTuple):
    """A worker's pushed branch, and another clone in which a person works on it."""

    repository: GitPythonRepository
    worktree: Path
    person: Path
    git: Git

    def commit(self, checkout: Path, files: dict[str, str]) -> str:
        for name, text in files.items():
            (checkout / name).write_text(text)
        self.git(checkout, "add", "--all")
        self.git(checkout, "commit", "--quiet", "--message", "feat: work")
        return self.git(checkout, "rev-parse", "HEAD")

    def person_pushes(self, files: dict[str, str], branch: str = BRANCH) -> str:
        self.git(self.person, "fetch", "--quiet", "origin")
        self.git(self.person, "switch", "--quiet", "-C", "theirs", f"origin/{branch}")
        sha = self.commit(self.person, files)
        self.git(self.person, "push", "--quiet", "origin", f"HEAD:{branch}")
        return sha

    def bring_up(self) -> tuple[str, ...]:
        return self.repository.bring_up_to_remote(self.worktree, BRANCH).conflicts

    def head(self) -> str:
        return self.git(self.worktree, "rev-parse", BRANCH)

    def holds(self, sha: str) -> bool:
        return sha in self.git(self.worktree, "rev-list", "HEAD").split()


@pytest.fixture
def place(clone: Path, repository: GitPythonRepository, make_plan: MakePlan, git: Git, tmp_path: Path) -> Place:
    plan = make_plan(repository)
    repository.ensure_worktree(plan)
    person = tmp_path / "person"
    git(tmp_path, "clone", "--quiet", str(tmp_path / f"{clone.name}.git"), str(person))
    place = Place(repository, plan.path, person, git)
    place.commit(plan.path, {"ours.txt": "ours\n"})
    repository.push_branch(BRANCH)
    return place


def test_nothing_new_changes_nothing(place: Place) -> None:
    before = place.head()
    assert place.repository.bring_up_to_remote(place.worktree, BRANCH, before)[:2] == (before, ())


def test_a_persons_commits_on_top_are_fast_forwarded_into_the_worktree(place: Place) -> None:
    theirs = place.person_pushes({"theirs.txt": "theirs\n"})
    assert place.bring_up() == ()
    assert place.head() == theirs
    assert (place.worktree / "theirs.txt").read_text() == "theirs\n"
    mine = place.commit(place.worktree, {"more.txt": "more\n"})
    assert place.repository.push_branch(BRANCH) == mine


def test_our_unpushed_and_uncommitted_work_stays_on_top(place: Place) -> None:
    mine = place.commit(place.worktree, {"more.txt": "more\n"})
    (place.worktree / "loose.txt").write_text("loose\n")
    theirs = place.person_pushes({"theirs.txt": "theirs\n"})
    with pytest.raises(ForeignCommitsError, match="nothing was overwritten"):
        place.repository.push_branch(BRANCH)
    assert place.bring_up() == ()
    assert place.holds(mine)
    assert place.holds(theirs)
    assert place.git(place.worktree, "show", "HEAD:loose.txt") == "loose"
    assert place.repository.push_branch(BRANCH) == place.head()


def test_what_a_person_changed_in_the_same_place_is_left_with_markers(place: Place) -> None:
    place.commit(place.worktree, {"ours.txt": "mine\n"})
    theirs = place.person_pushes({"ours.txt": "theirs\n"})
    assert place.bring_up() == ("ours.txt",)
    assert place.repository.find_conflicts(place.worktree, theirs) == ("ours.txt",)
    (place.worktree / "ours.txt").write_text("both\n")
    assert place.repository.find_conflicts(place.worktree, theirs) == ()
    place.repository.commit_all(place.worktree, "merge\n")
    assert place.holds(theirs)


@pytest.mark.parametrize("how", ["amended", "set back"])
def test_a_rewritten_branch_is_left_alone(place: Place, how: str) -> None:
    before = place.head()
    place.git(place.person, "fetch", "--quiet", "origin")
    place.git(place.person, "switch", "--quiet", "-C", "theirs", f"origin/{BRANCH}")
    if how == "amended":
        place.git(place.person, "commit", "--quiet", "--amend", "--message", "feat: theirs now")
    else:
        place.git(place.person, "reset", "--quiet", "--hard", "HEAD~1")
        place.commit(place.person, {"other.txt": "other\n"})
    place.git(place.person, "push", "--quiet", "--force", "origin", f"HEAD:{BRANCH}")
    theirs = place.git(place.person, "rev-parse", "HEAD")
    with pytest.raises(RewrittenBranchError, match="somebody rewrote feature/task-1"):
        place.bring_up()
    assert place.head() == before
    place.commit(place.worktree, {"more.txt": "more\n"})
    with pytest.raises(ForeignCommitsError):
        place.repository.push_branch(BRANCH)
    assert place.git(place.person, "ls-remote", "origin", BRANCH).split()[0] == theirs


def test_a_new_machine_takes_the_branch_as_it_is_and_notices_when_it_was_rewritten(
    place: Place, make_repository: Callable[..., Path], make_plan: MakePlan, git: Git
) -> None:
    pushed = place.head()
    git(place.repository.path, "update-ref", "-d", f"refs/parallel-workers/pushed/{BRANCH}")
    theirs = place.person_pushes({"theirs.txt": "theirs\n"})
    git(place.worktree, "reset", "--quiet", "--hard", "main")
    assert place.repository.bring_up_to_remote(place.worktree, BRANCH, pushed).head_sha == theirs
    git(place.worktree, "reset", "--quiet", "--hard", "main")
    with pytest.raises(RewrittenBranchError):
        place.repository.bring_up_to_remote(place.worktree, BRANCH, "1" * 40)


def test_a_branch_that_is_gone_from_the_remote_has_nothing_to_take_in(place: Place) -> None:
    before = place.head()
    place.git(place.person, "push", "--quiet", "origin", f":{BRANCH}")
    assert place.repository.bring_up_to_remote(place.worktree, BRANCH, before)[:2] == (before, ())


def test_a_base_without_conflicts_is_merged_in(place: Place) -> None:
    base = place.person_pushes({"base.txt": "base\n"}, "main")
    assert place.repository.merge_base_into(place.worktree, BRANCH, "main").conflicts == ()
    assert place.holds(base)
    assert place.repository.find_fork(BRANCH, "main") == base
    again = place.head()
    assert place.repository.merge_base_into(place.worktree, BRANCH, "main") == (again, (), base)


def test_a_conflict_with_the_base_waits_for_the_agent_also_after_a_restart(place: Place) -> None:
    place.commit(place.worktree, {"README.md": "mine\n", "notes.md": "Notes\n=======\n"})
    base = place.person_pushes({"README.md": "theirs\n"}, "main")
    for _ in range(2):
        joined = place.repository.merge_base_into(place.worktree, BRANCH, "main")
        assert joined.conflicts == ("README.md",)
    marked = (place.worktree / "README.md").read_text()
    place.git(place.worktree, "add", "--all")
    assert place.repository.find_conflicts(place.worktree, base) == ("README.md",), "added, markers and all"
    place.git(place.worktree, "commit", "--quiet", "--message", "merged, I say")
    assert place.repository.find_conflicts(place.worktree, base) == ("README.md",), "committed, markers and all"
    assert marked.startswith("<<<<<<< ")
    (place.worktree / "README.md").write_text("mine and theirs\n")
    place.repository.commit_all(place.worktree, "merged\n")
    assert place.repository.find_conflicts(place.worktree, base) == ()
    assert place.holds(base)


def test_a_file_that_the_base_deleted_is_undecided_until_it_is_added_or_removed(place: Place) -> None:
    place.commit(place.worktree, {"README.md": "mine\n"})
    place.git(place.person, "switch", "--quiet", "main")
    place.git(place.person, "rm", "--quiet", "README.md")
    place.git(place.person, "commit", "--quiet", "--message", "chore: remove")
    place.git(place.person, "push", "--quiet", "origin", "main")
    assert place.repository.merge_base_into(place.worktree, BRANCH, "main").conflicts == ("README.md",)
    base = place.git(place.person, "rev-parse", "main")
    assert place.repository.find_conflicts(place.worktree, base) == ("README.md",)
    place.git(place.worktree, "rm", "--quiet", "README.md")
    assert place.repository.find_conflicts(place.worktree, base) == ()


def test_a_base_that_moved_again_is_merged_anew_and_what_was_begun_is_saved(place: Place) -> None:
    place.commit(place.worktree, {"README.md": "mine\n"})
    place.person_pushes({"README.md": "theirs\n"}, "main")
    assert place.repository.merge_base_into(place.worktree, BRANCH, "main").conflicts
    (place.worktree / "README.md").write_text("half solved\n")
    base = place.person_pushes({"README.md": "theirs, newer\n"}, "main")
    assert place.repository.merge_base_into(place.worktree, BRANCH, "main").conflicts == ("README.md",)
    assert place.git(place.worktree, "rev-parse", "MERGE_HEAD") == base
    (rescued,) = place.git(
        place.worktree, "for-each-ref", "--format=%(refname)", "refs/parallel-workers/rescue"
    ).split()
    assert place.git(place.worktree, "show", f"{rescued}:README.md") == "half solved"


def test_after_the_merge_a_branch_that_a_reviewer_added_to_goes_here_and_on_the_remote(
    place: Place, make_plan: MakePlan
) -> None:
    plan = make_plan(place.repository)
    theirs = place.person_pushes({"theirs.txt": "theirs\n"})
    place.git(place.repository.path, "fetch", "--quiet", "origin")
    place.git(place.repository.path, "update-ref", "-d", f"refs/parallel-workers/pushed/{BRANCH}")
    place.repository.remove_worker(plan, theirs)
    assert place.git(place.repository.path, "branch", "--list", BRANCH) == ""
    assert place.git(place.person, "ls-remote", "origin", BRANCH) != "", "nobody said that it was pushed"
    for _ in range(2):
        place.repository.remove_worker(plan, theirs, was_pushed=True)
        assert place.git(place.person, "ls-remote", "origin", BRANCH) == "", "gone already is well too"


def test_after_the_merge_a_branch_that_moved_on_stays_on_the_remote_and_unmerged_work_here(
    place: Place, make_plan: MakePlan
) -> None:
    plan, merged = make_plan(place.repository), place.head()
    mine = place.commit(place.worktree, {"more.txt": "more\n"})
    theirs = place.person_pushes({"theirs.txt": "theirs\n"})
    place.repository.remove_worker(plan, merged, was_pushed=True)
    assert place.git(place.person, "ls-remote", "origin", BRANCH).split()[0] == theirs
    assert place.git(place.repository.path, "rev-parse", BRANCH) == mine
