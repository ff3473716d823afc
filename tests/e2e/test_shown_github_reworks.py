"""A red check, a request for changes and a conflict on GitHub: one rework for each, and then the merge."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.conftest import Git
from tests.e2e.github_side import GitHubSide, github_side, telling_at_once
from tests.e2e.prefect_view import read_logs, read_states
from tests.e2e.product import Product, finish, wait_until, write_batch
from tests.fake_github.ci import CheckReport, PushedHead

# Keeps what it was told, and mends what its prompt names.
AGENT = r"""
cp "$PARALLEL_WORKERS_PROMPT_FILE" '{prompts}'/$(ls '{prompts}' | wc -l)
if git diff --name-only --diff-filter=U | grep -q .; then
  grep -vE '^(<<<<<<<|=======|>>>>>>>)' shared.txt > kept.tmp; mv kept.tmp shared.txt
elif grep -q 'Red check' "$PARALLEL_WORKERS_PROMPT_FILE"; then git rm --quiet bad.txt
elif grep -q 'Remark of' "$PARALLEL_WORKERS_PROMPT_FILE"; then echo answered > answered.txt
else echo bad > bad.txt; echo mine >> shared.txt; fi
"""


@pytest.mark.timeout(300)
def test_each_reason_leads_to_one_rework_and_then_to_the_merge(product: Product, tmp_path: Path, git: Git) -> None:
    prompts, secret = tmp_path / "prompts", f"ghp_{secrets.token_hex(18)}"
    prompts.mkdir()
    tasks = [{"id": "T", "shell": AGENT.format(prompts=prompts)}]
    spec = write_batch(tmp_path / "reworks.yml", tmp_path / "clone", tasks, forge="github")
    with github_side(tmp_path, git, {"shared.txt": "begin\n"}) as hub:

        def ci(head: PushedHead) -> list[CheckReport]:
            if head.read("bad.txt") is None:
                return [CheckReport("unit")]
            said = [f"line {number}" for number in range(5_000)]
            said += [f"token {secret}", f"worker {hub.token}", "FAILED: bad.txt must not be there"]
            return [CheckReport("unit", "failure", log="\n".join(said))]

        hub.repository.set_ci(ci)
        hub.repository.protect(required_checks=["unit"], required_reviews=1)
        with telling_at_once(product), hub.running(product, spec) as engine:
            hub.wait_for(engine, 1)
            wait_until(lambda: len(list(prompts.iterdir())) == 2, "the red check is worked on")
            wait_until(lambda: not hub.holds("feature/t", "bad.txt"), "it is mended")
            hub.repository.comment_thread(1, "reviewer", "shared.txt", 2, "say whose line this is")
            hub.repository.review(1, "reviewer", "CHANGES_REQUESTED", "Not like this.")
            wait_until(lambda: hub.holds("feature/t", "answered.txt"), "the reviewer is answered")
            hub.repository.push("main", {"shared.txt": "begin\ntheirs\n"})
            hub.repository.review(1, "reviewer", "APPROVED")
            done = finish(engine)
        assert done.results() == {"T": "merged"}, (done.reasons(), done.stderr)
        told = [file.read_text() for file in sorted(prompts.iterdir())]
        check_what_the_agent_was_told(told, (secret, hub.token))
        check_what_was_merged(hub)
    run = done.data["tasks"][0]["flow_run_id"]
    names = [state.name for state in read_states(product, run)]
    lifecycle = [name for name in names if name in {"WORKING", "PR_OPEN", "MERGED"}]
    changes = [name for at, name in enumerate(lifecycle) if at == 0 or lifecycle[at - 1] != name]
    assert changes == [*(["WORKING", "PR_OPEN"] * 4), "MERGED"], names
    assert not any(one in line for line in read_logs(product, run) for one in (secret, hub.token))


def check_what_the_agent_was_told(told: list[str], hidden: tuple[str, str]) -> None:
    assert len(told) == 4, "each reason is worked on once"
    _, check, review, conflict = told
    assert "FAILED: bad.txt must not be there" in check
    assert "[redacted]" in check
    assert "line 4999" in check
    assert "line 10\n" not in check, "only the end of the log"
    for text in ("say whose line this is", "shared.txt", "line 2", "Not like this."):
        assert text in review
    assert "shared.txt" in conflict
    assert "conflict" in conflict
    assert not any(one in prompt for prompt in told for one in hidden)


def check_what_was_merged(hub: GitHubSide) -> None:
    (pull,) = hub.pulls()
    assert pull.merged_at
    assert len(hub.merges()) == 1
    bare = hub.repository.state.git.path
    assert sorted(hub.git(bare, "show", "main:shared.txt").split()) == ["begin", "mine", "theirs"]
    assert "bad.txt" not in hub.git(bare, "ls-tree", "--name-only", "main")
