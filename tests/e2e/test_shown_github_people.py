"""What a person pushes to a worker's branch on GitHub survives its rework; a rewritten branch is left alone."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Git
from tests.e2e.github_side import github_side, telling_at_once
from tests.e2e.product import WRITE_FILE, Product, finish, wait_until, write_batch
from tests.fake_github.ci import CheckReport

NEEDS_HUMAN = "parallel-workers:needs-human"
AGENT = f"""
if grep -q 'Remark of' "$PARALLEL_WORKERS_PROMPT_FILE"; then echo answered > answered.txt
else {WRITE_FILE}; fi
"""


def test_a_push_by_a_person_survives_a_rework(product: Product, tmp_path: Path, git: Git) -> None:
    spec = write_batch(tmp_path / "pushed.yml", tmp_path / "clone", [{"id": "T", "shell": AGENT}], forge="github")
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub, telling_at_once(product):
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        hub.repository.protect(required_reviews=1)
        with hub.running(product, spec) as engine:
            hub.wait_for(engine, 1)
            theirs = hub.repository.push("feature/t", {"by-hand.txt": "by hand\n", "T.txt": "Do T, better\n"})
            hub.repository.comment_thread(1, "reviewer", "T.txt", 1, "and answer me")
            wait_until(
                lambda: hub.holds("feature/t", "answered.txt") or engine.poll() is not None, "the rework is pushed"
            )
            hub.repository.review(1, "reviewer", "APPROVED")
            done = finish(engine)
        assert done.results() == {"T": "merged"}, (done.reasons(), done.stderr)
        bare = hub.repository.state.git.path
        git(bare, "merge-base", "--is-ancestor", theirs, "main")
        assert git(bare, "show", "main:by-hand.txt") == "by hand"
        assert git(bare, "show", "main:T.txt") == "Do T, better"
        assert git(bare, "show", "main:answered.txt") == "answered"
        assert len(hub.pulls()) == 1


def test_a_branch_that_a_person_rewrote_is_given_to_people(product: Product, tmp_path: Path, git: Git) -> None:
    spec = write_batch(tmp_path / "rewritten.yml", tmp_path / "clone", [{"id": "T", "shell": AGENT}], forge="github")
    with github_side(tmp_path, git, {"README.md": "# a project\n"}) as hub, telling_at_once(product):
        hub.repository.set_ci(lambda _head: [CheckReport("unit")])
        hub.repository.protect(required_reviews=1)
        with hub.running(product, spec) as engine:
            hub.wait_for(engine, 1)
            theirs = hub.repository.push("feature/t", {"T.txt": "by hand\n"}, force=True)
            hub.repository.comment_thread(1, "reviewer", "T.txt", 1, "and answer me")
            wait_until(
                lambda: NEEDS_HUMAN in hub.pulls()[0].label_keys or engine.poll() is not None, "a person is asked"
            )
            assert hub.repository.branches()["feature/t"] == theirs
            assert len(hub.pulls()[0].comments) == 1
            hub.repository.review(1, "reviewer", "APPROVED")
            hub.repository.merge(1)
            done = finish(engine)
        assert done.results() == {"T": "merged"}, (done.reasons(), done.stderr)
        assert git(hub.repository.state.git.path, "show", "main:T.txt") == "by hand"
