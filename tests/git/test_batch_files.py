"""A batch from pasted YAML, from a file, and from a file of a repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.batch_files import batch_text, read_spec
from parallel_workers.errors import InvalidSpecError, UsageError
from tests.conftest import Git

BATCH = "project: sample\nrepository: {repository}\ntasks:\n  - {{id: T-1, description: do it, agent: {agent}}}\n"


@pytest.fixture
def repository(make_repository: Callable[..., Path], git: Git) -> Path:
    """With a batch on main and another one on the branch `later`."""
    path = make_repository()
    (path / "batches").mkdir()
    (path / "batches" / "nightly.yml").write_text(BATCH.format(repository=path.as_uri(), agent="test-author"))
    git(path, "add", "--all")
    git(path, "commit", "--quiet", "--message", "a batch")
    git(path, "checkout", "--quiet", "-b", "later")
    (path / "batches" / "nightly.yml").write_text(BATCH.format(repository=path.as_uri(), agent="iac-engineer"))
    git(path, "commit", "--quiet", "--all", "--message", "another batch")
    git(path, "checkout", "--quiet", "main")
    return path


@pytest.mark.parametrize(("given", "expected"), [(None, "batch"), ("mine", "mine")])
def test_pasted(repository: Path, given: str | None, expected: str) -> None:
    batch = read_spec(BATCH.format(repository=repository, agent="code-author"), name=given)
    assert (batch.name, batch.repository, batch.task("T-1").agent) == (expected, str(repository), "code-author")


def test_a_file(repository: Path, tmp_path: Path) -> None:
    file = tmp_path / "weekly.yml"
    file.write_text(BATCH.format(repository=repository, agent="code-author"))
    assert read_spec(f" {file} ").name == "weekly"


@pytest.mark.parametrize(("ref", "agent"), [("", "test-author"), ("?ref=later", "iac-engineer")])
def test_a_file_of_a_repository(repository: Path, ref: str, agent: str) -> None:
    batch = read_spec(f"{repository.as_uri()}//batches/nightly.yml{ref}")
    assert (batch.name, batch.task("T-1").agent) == ("nightly", agent)
    assert batch.repository == repository.as_uri(), "every machine has a clone of its own"


def test_another_repository_than_the_one_it_names(repository: Path) -> None:
    text = BATCH.format(repository="/nowhere", agent="code-author")
    assert read_spec(text, repository=str(repository)).repository == str(repository)


def test_what_is_not_there_is_named(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file batches/none\.yml on main of file:"):
        read_spec(f"{repository.as_uri()}//batches/none.yml")
    with pytest.raises(InvalidSpecError, match=r"none\.yml"):
        read_spec(str(tmp_path / "none.yml"))
    with pytest.raises(InvalidSpecError, match=r"pasted YAML:4: .*unknown agent 'nobody'"):
        read_spec(BATCH.format(repository=repository, agent="nobody"))
    with pytest.raises(InvalidSpecError, match="pasted YAML:2: repository: "):
        read_spec(BATCH.format(repository="/nowhere", agent="code-author"))


def test_a_batch_as_text_is_the_same_batch(repository: Path) -> None:
    batch = read_spec(BATCH.format(repository=repository, agent="code-author") + "metadata: {epic: '#3', x: 1}\n")
    assert read_spec(batch_text(batch)) == batch
