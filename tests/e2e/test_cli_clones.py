"""A batch that names its repository by URL works on a clone, made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Git
from tests.e2e.product import Product, write_batch


def test_a_batch_on_a_url_is_merged_there(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path, git: Git
) -> None:
    remote = make_repository("by-url", bare_remote=True).with_name("by-url.git")
    spec = write_batch(tmp_path / "url.yml", remote, [{"id": "URL-1"}])
    spec.write_text(spec.read_text(encoding="utf-8").replace(str(remote), remote.as_uri()), encoding="utf-8")
    first = product.run(spec)
    assert (first.exit_code, first.results()) == (0, {"URL-1": "merged"}), first.stderr
    assert f"Cloning {remote.as_uri()}" in first.stderr
    assert git(remote, "show", "main:URL-1.txt") == "Do URL-1"
    assert "feature/" not in git(remote, "for-each-ref", "refs/heads")
    clone = Path(first.data["tasks"][0]["repository"])
    assert clone.is_relative_to(product.home / "data" / "clones")

    again = product.run(spec)
    assert (again.exit_code, again.data["tasks"][0]["already_done"]) == (0, True)
    assert again.data["tasks"][0]["repository"] == str(clone)
    assert "Cloning" not in again.stderr


def test_validate_reads_the_settings_of_a_repository_by_url(
    product: Product, make_repository: Callable[..., Path], tmp_path: Path
) -> None:
    remote = make_repository("settings", {".parallel-workers.yml": "agents: {ours: {command: [make]}}\n"})
    spec = tmp_path / "batch.yml"
    batch = {"project": "p", "repository": remote.as_uri()}
    spec.write_text(json.dumps({**batch, "tasks": [{"id": "A", "description": "x", "agent": "ours"}]}))
    assert product.call("validate", str(spec)).exit_code == 0


def test_a_url_that_cannot_be_cloned_or_holds_a_secret_is_a_problem_of_its_line(
    product: Product, tmp_path: Path
) -> None:
    spec = tmp_path / "batch.yml"
    for url, said in (
        ((tmp_path / "nowhere.git").as_uri(), "check the URL"),
        ("https://s3cret@example.invalid/x.git", "https://example.invalid/x.git holds credentials"),
        ("ssh://git:s3cret@example.invalid/x.git", "ssh://example.invalid/x.git holds credentials"),
    ):
        spec.write_text(f"project: p\nrepository: {url}\ntasks: [{{id: A, description: x}}]\n", encoding="utf-8")
        ended = product.call("validate", str(spec))
        assert ended.exit_code == 2
        assert ended.stdout.startswith(f"{spec}:2: repository: ")
        assert said in ended.stdout
        assert "s3cret" not in ended.stdout + ended.stderr
