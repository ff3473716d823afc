"""What an agent sees of the environment that the product was started in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Git
from tests.e2e.prefect_view import read_logs
from tests.e2e.product import Product, write_batch


def test_no_secret_reaches_the_agent(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    hidden = {
        name: f"value-{secrets.token_hex(12)}"
        for name in ("FOO_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_API_KEY", f"V{secrets.token_hex(6).upper()}")
    }
    repository = make_repository(bare_remote=True)
    spec = write_batch(tmp_path / "secrets.yml", repository, [{"id": "DUMP", "shell": "env | tee seen.txt"}])
    done = product.run(spec, **hidden)
    assert done.exit_code == 0, done.stderr
    assert done.results() == {"DUMP": "merged"}

    seen = git(tmp_path / "repo.git", "show", "main:seen.txt")
    names = {line.partition("=")[0] for line in seen.splitlines()}
    assert names & hidden.keys() == set()
    assert {"PATH", "HOME", "PARALLEL_WORKERS_TASK_ID"} <= names
    pull = product.call("pr", "show", "1", "--repository", str(repository), "--json").stdout
    logs = "\n".join(read_logs(product, done.data["tasks"][0]["flow_run_id"]))
    for value in hidden.values():
        for told in (seen, pull, logs, done.stdout, done.stderr):
            assert value not in told
