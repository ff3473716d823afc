"""Contract of ports.Forge: merging."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from parallel_workers.pull_requests import MergeOutcome, PullRequestState
from parallel_workers.spec import MergeMethod

if TYPE_CHECKING:
    from tests.contracts.conftest import ForgeWorld

METHODS = pytest.mark.parametrize("method", list(MergeMethod), ids=lambda method: method.value)


@METHODS
def test_merging_brings_the_work_into_the_base_beside_what_went_in_before(
    world: ForgeWorld, method: MergeMethod
) -> None:
    one = world.forge.ensure_pull_request(world.draft("one", {"a.txt": "1\n"}, {"b.txt": "1\n"}))
    two = world.forge.ensure_pull_request(world.draft("two", {"c.txt": "2\n"}, {"d.txt": "2\n"}))
    for pull in (one, two):
        attempt = world.forge.merge_pull_request(pull.number, method)
        assert (attempt.outcome, attempt.files) == (MergeOutcome.MERGED, ())
        assert attempt.pull_request.state is PullRequestState.MERGED
        assert attempt.pull_request.merge_sha == world.base_sha()
        assert attempt.pull_request.head_sha == pull.head_sha
        assert world.forge.is_content_in_base(attempt.pull_request)
    assert [world.base_file(f"{name}.txt") for name in "abcd"] == ["1", "1", "2", "2"]
    assert world.forge.fetch_pull_requests() == ()
    ended = world.open_forge().fetch_pull_requests(include_ended=True)
    assert all(world.open_forge().is_content_in_base(pull) for pull in ended)
    world.git(world.hosted, "fsck", "--strict")


def _subjects(world: ForgeWorld, *options: str) -> list[str]:
    return world.git(world.hosted, "log", "--format=%s", *options, "main").split("\n")


def test_a_merge_commit_has_base_and_head_as_parents(world: ForgeWorld) -> None:
    draft, base = world.draft("one"), world.base_sha()
    pull = world.forge.ensure_pull_request(draft)
    world.forge.merge_pull_request(pull.number, MergeMethod.MERGE)
    assert world.git(world.hosted, "log", "-1", "--format=%P", "main").split() == [base, draft.head_sha]
    assert _subjects(world, "--first-parent")[0] == f"Merge pull request #{pull.number}: Do one"


def test_a_squash_is_one_commit_with_the_authors_name(world: ForgeWorld) -> None:
    draft = world.draft("one", {"a.txt": "1\n"})
    worktree = world.clone.parent / "work" / "one"
    (worktree / "b.txt").write_text("1\n")
    world.git(worktree, "add", "--all")
    world.git(worktree, "commit", "--quiet", "--author=Ann Ägent <ann@example.invalid>", "--message=feat: more")
    world.publish("one")
    head = world.git(worktree, "rev-parse", "HEAD")
    pull = world.forge.ensure_pull_request(draft._replace(head_sha=head))
    world.forge.merge_pull_request(pull.number, MergeMethod.SQUASH)
    assert _subjects(world) == [f"Do one (#{pull.number})", "chore: begin"]
    author = world.git(world.hosted, "log", "-1", "--format=%an <%ae>", "main")
    assert (author == "Ann Ägent <ann@example.invalid>") is world.ways.keeps_author_in_squash
    message = world.git(world.hosted, "log", "-1", "--format=%B", "main")
    assert "Report of one." in message
    trailers = world.git(world.hosted, "log", "-1", "--format=%(trailers:unfold)", "main").split("\n")
    assert "Worker: worker-one" in trailers
    if world.ways.keeps_author_in_squash:
        assert "Co-authored-by: Test Author <author@example.invalid>" in trailers


def test_a_rebase_replays_each_commit_with_its_author_and_message(world: ForgeWorld) -> None:
    pull = world.forge.ensure_pull_request(world.draft("one", {"a.txt": "1\n"}, {"a.txt": "2\n"}, {"b.txt": "3\n"}))
    other = world.forge.ensure_pull_request(world.draft("two"))
    world.forge.merge_pull_request(other.number, MergeMethod.SQUASH)
    world.forge.merge_pull_request(pull.number, MergeMethod.REBASE)
    assert _subjects(world)[:3] == ["feat: one 3", "feat: one 2", "feat: one 1"]
    assert world.git(world.hosted, "rev-list", "--merges", "main") == ""
    assert world.git(world.hosted, "log", "-1", "--format=%an", "main") == "Test Author"
    assert (world.base_file("a.txt"), world.base_file("b.txt"), world.base_file("two.txt")) == ("2", "3", "two")


@METHODS
def test_merging_again_answers_merged_and_moves_nothing(world: ForgeWorld, method: MergeMethod) -> None:
    pull = world.forge.ensure_pull_request(world.draft("one"))
    first = world.forge.merge_pull_request(pull.number, method)
    base = world.base_sha()
    assert world.open_forge().merge_pull_request(pull.number, method) == first
    assert world.base_sha() == base


@METHODS
def test_a_conflict_names_the_files_and_moves_nothing(world: ForgeWorld, method: MergeMethod) -> None:
    one = world.forge.ensure_pull_request(world.draft("one", {"src/one.txt": "ours\n", "README.md": "ours\n"}))
    two = world.forge.ensure_pull_request(world.draft("two", {"src/one.txt": "theirs\n", "README.md": "theirs\n"}))
    world.forge.merge_pull_request(one.number, MergeMethod.MERGE)
    base = world.base_sha()
    attempt = world.forge.merge_pull_request(two.number, method)
    assert attempt.outcome is MergeOutcome.CONFLICT
    assert set(attempt.files) == {"src/one.txt", "README.md"}
    assert "src/one.txt" in attempt.reason
    assert attempt.pull_request.state is PullRequestState.OPEN
    assert world.base_sha() == base
    assert world.forge.fetch_pull_requests() == (two,)
    assert not world.forge.is_content_in_base(two)


def test_a_closed_one_is_not_merged(world: ForgeWorld) -> None:
    pull = world.forge.ensure_pull_request(world.draft("one"))
    world.forge.close_pull_request(pull.number, "no")
    base = world.base_sha()
    attempt = world.forge.merge_pull_request(pull.number, MergeMethod.MERGE)
    assert (attempt.outcome, attempt.reason) == (MergeOutcome.CLOSED, "no")
    assert world.base_sha() == base


@METHODS
def test_work_that_is_in_the_base_already_counts_as_merged(world: ForgeWorld, method: MergeMethod) -> None:
    one = world.forge.ensure_pull_request(world.draft("one", {"same.txt": "same\n"}))
    two = world.forge.ensure_pull_request(world.draft("two", {"same.txt": "same\n"}))
    world.forge.merge_pull_request(one.number, MergeMethod.SQUASH)
    base = world.base_sha()
    attempt = world.forge.merge_pull_request(two.number, method)
    assert attempt.outcome is MergeOutcome.MERGED
    assert world.git(world.hosted, "diff", base, "main") == ""
    if world.ways.skips_empty_merges:
        assert "already" in attempt.reason
        assert world.base_sha() == base


def test_of_a_base_that_was_deleted_since_the_merge_counts(world: ForgeWorld) -> None:
    world.git(world.hosted, "branch", "release", "main")
    one, two = (
        world.forge.ensure_pull_request(world.draft(name)._replace(base_branch="release")) for name in ("one", "two")
    )
    merged = world.forge.merge_pull_request(one.number, MergeMethod.SQUASH).pull_request
    world.git(world.hosted, "update-ref", "-d", "refs/heads/release")
    assert world.forge.is_content_in_base(merged)
    assert not world.forge.is_content_in_base(two)


def test_content_is_not_in_the_base_before_the_merge(world: ForgeWorld) -> None:
    pull = world.forge.ensure_pull_request(world.draft("one"))
    world.forge.merge_pull_request(world.forge.ensure_pull_request(world.draft("two")).number, MergeMethod.MERGE)
    assert not world.forge.is_content_in_base(pull)
