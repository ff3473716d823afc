"""What git ignores is not saved, wherever a removal was cut off: the rules are there until the last."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import pytest

from parallel_workers.adapters.git import deletion, removal, seen_files
from parallel_workers.adapters.git.repository import GitPythonRepository
from parallel_workers.errors import ParallelWorkersError
from parallel_workers.worktrees import WorktreePlan
from tests.git.conftest import MakePlan

_RULES = {".gitignore": "venv/\n.env\n", "app/.gitignore": "*.log\n", "app/deep/.gitignore": "*.tmp\n!keep.log\n"}
_IGNORED = (".env", "venv/lib.py", "app/.env", "app/deep/b.log", "app/deep/c.tmp")
_SHOWN = ("app/deep/keep.log", "z.txt")


def _commit_rules(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    _write(plan.path, _RULES)
    repository.commit_all(plan.path, "rules")


def _change_rules(repository: GitPythonRepository, plan: WorktreePlan) -> None:
    _write(plan.path, dict.fromkeys(_RULES, "*.other\n"))
    repository.commit_all(plan.path, "other rules")
    _write(plan.path, _RULES)


def _add_rules(_repository: GitPythonRepository, plan: WorktreePlan) -> None:
    _write(plan.path, _RULES)


_P = ParamSpec("_P")
MakeRuled = Callable[[str], WorktreePlan]


@pytest.fixture(params=[_commit_rules, _change_rules, _add_rules])
def make_ruled(repository: GitPythonRepository, make_plan: MakePlan, request: pytest.FixtureRequest) -> MakeRuled:
    """`make_ruled(task_id)`: a worktree with rules in three folders, and files that they mean, or not."""

    def make(task_id: str) -> WorktreePlan:
        plan = make_plan(repository, task_id)
        repository.ensure_worktree(plan)
        request.param(repository, plan)
        _write(plan.path, dict.fromkeys((*_IGNORED, *_SHOWN), "early"))
        return plan

    return make


def _write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _saved(repository: GitPythonRepository, plan: WorktreePlan) -> set[str]:
    rescues = [rescue for rescue in repository.list_rescues() if rescue.worker == plan.worker]
    return {file.path for rescue in rescues for file in rescue.files}


class _KilledError(BaseException):
    """Nothing that the code catches."""


def _is_cut_off(repository: GitPythonRepository, plan: WorktreePlan, deletions: int) -> bool:
    """Remove the worktree, but only until so many files and folders are gone; False when there were no more."""
    begun = itertools.count()

    def limited(real: Callable[_P, None]) -> Callable[_P, None]:
        def delete(*arguments: _P.args, **more: _P.kwargs) -> None:
            if next(begun) == deletions:
                raise _KilledError
            real(*arguments, **more)

        return delete

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(seen_files, "_delete_one", limited(seen_files._delete_one))
        patched.setattr(deletion, "delete_tree", limited(deletion.delete_tree))
        try:
            repository.remove_worktree(plan.path, force=True)
        except _KilledError:
            return True
    return False


def test_ignored_files_are_not_saved_wherever_it_was_cut_off(
    repository: GitPythonRepository, make_ruled: MakeRuled
) -> None:
    """Programs that go on change each file that is left."""
    late = []
    for deletions in itertools.count():
        plan = make_ruled(f"TASK-{deletions}")
        if not _is_cut_off(repository, plan, deletions):
            break
        (aside,) = plan.path.parent.iterdir()
        left = [name for name in (*_IGNORED, *_SHOWN) if (aside / name).exists()]
        _write(aside, dict.fromkeys(left, "late"))

        ref = str(repository.remove_worktree(plan.path, force=True))

        assert not set(_IGNORED).intersection(_saved(repository, plan)), deletions
        shown = set(_SHOWN).intersection(left)
        assert not shown or shown == {file.path for file in repository.find_rescue(ref).files}, deletions
        assert list(plan.path.parent.iterdir()) == []
        late.append(len(left))
    assert set(late) >= {0, len(_IGNORED), len(_IGNORED) + len(_SHOWN)}


@pytest.mark.parametrize("name", _IGNORED)
def test_one_that_changes_while_it_is_deleted_is_not_saved(
    repository: GitPythonRepository, make_ruled: MakeRuled, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plan = make_ruled("TASK-1")

    def write_late(point: str) -> None:
        if point == "removal.looked-again":
            (aside,) = plan.path.parent.iterdir()
            _write(aside, {name: "late"})

    with monkeypatch.context() as patched:
        patched.setattr(removal, "reach", write_late)
        with pytest.raises(ParallelWorkersError, match="something still writes to it"):
            repository.remove_worktree(plan.path, force=True)
    repository.remove_worktree(plan.path, force=True)

    assert name not in _saved(repository, plan)
    assert list(plan.path.parent.iterdir()) == []
