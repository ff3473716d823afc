"""Names made from task ids are valid and stay the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.identity import branch_name, slugify, worker_id, worker_ref, worktree_path

_NASTY = st.one_of(
    st.text(max_size=150),
    st.text(alphabet="./\\-_~^:?*[@{} \tabZ9äß.lock", max_size=150),
)


def is_ref(name: str) -> bool:
    """git's own opinion."""
    return subprocess.run(["git", "check-ref-format", name], check=False).returncode == 0


@given(_NASTY)
@settings(max_examples=120, deadline=None)
def test_every_slug_makes_a_valid_branch(text: str) -> None:
    if slugify(text):
        assert is_ref(f"refs/heads/{branch_name(text)}")


@given(_NASTY)
def test_a_slug_is_a_plain_file_name_and_its_own_slug(text: str) -> None:
    slug = slugify(text)

    assert slug == slugify(slug)
    assert len(slug) <= 100
    assert slug.isascii()
    assert not set(slug) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug == slug.strip("-")


@given(_NASTY, _NASTY)
def test_a_worktree_never_leaves_its_root(project: str, task_id: str) -> None:
    path = worktree_path(Path("/root-of-worktrees"), f"p{project}", f"t{task_id}")

    assert path.parents[1] == Path("/root-of-worktrees")


@given(_NASTY, _NASTY, _NASTY)
@settings(max_examples=30, deadline=None)
def test_a_worker_id_is_stable_and_a_valid_ref(repository: str, batch: str, task_id: str) -> None:
    worker = worker_id(repository, batch, task_id)

    assert worker == worker_id(repository, batch, task_id)
    assert is_ref(worker_ref(worker))


def test_worker_ids_tell_apart_where_the_parts_end() -> None:
    ids = {worker_id("a", "b", "c"), worker_id("ab", "", "c"), worker_id("a", "bc", ""), worker_id("", "a", "bc")}

    assert len(ids) == 4


def test_known_names() -> None:
    assert branch_name("TASK-001") == "feature/task-001"
    assert slugify("Übung: Größe / v2.0") == "ubung-groe-v2-0"
    assert slugify("日本") == ""
