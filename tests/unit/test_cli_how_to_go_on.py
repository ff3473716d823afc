"""What a stopped run says can be pasted into a shell, in any folder."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from parallel_workers.cli.batch_file import how_to_go_on_with
from parallel_workers.cli.run_options import RunRequest
from parallel_workers.messages import how_to_go_on
from parallel_workers.spec import BatchSpec, TaskSpec

REQUEST = RunRequest(None, None, None, 5.0, verbose=False, as_json=False)


def batch(repository: str = ".") -> BatchSpec:
    return BatchSpec(name="b", project="p", tasks=(TaskSpec(id="A", description="x"),), repository=repository)


def test_paths_with_spaces_are_quoted() -> None:
    said = how_to_go_on(("parallel-workers", "run", "/my specs/b.yml"), "/it's here")
    pasted = said.partition("Go on with: ")[2]
    assert shlex.split(pasted) == ["cd", "/it's here", "&&", "parallel-workers", "run", "/my specs/b.yml"]


@pytest.mark.parametrize("repository", [".", "sub"])
def test_the_folder_is_named_when_the_batch_depends_on_it(
    repository: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    said = how_to_go_on_with(Path("b.yml"), batch(repository), REQUEST)
    assert said.endswith(f"cd {tmp_path} && parallel-workers run {tmp_path}/b.yml")


def test_the_folder_is_not_named_when_it_does_not_matter_and_options_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    request = REQUEST._replace(max_workers=4, worktree_root="trees", policy="strict")
    said = how_to_go_on_with(Path("b.yml"), batch("/srv/repo"), request)
    options = f"--max-workers 4 --worktree-root {tmp_path}/trees --policy strict"
    assert said.endswith(f"Go on with: parallel-workers run {tmp_path}/b.yml {options}")
