"""How git is run: errors carry everything, and nothing planted is executed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.git.command import run_git
from parallel_workers.errors import GitCommandError, UsageError
from tests.conftest import Git


def plant(path: Path, proof: Path) -> None:
    """A program that leaves `proof` when it is run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch '{proof}'\ncat\n", encoding="utf-8")
    path.chmod(0o755)


def test_answers_stdout_without_its_last_newline(clone: Path) -> None:
    assert run_git(clone, "rev-parse", "--abbrev-ref", "HEAD") == "main"


def test_an_error_carries_argv_code_and_both_outputs(clone: Path) -> None:
    with pytest.raises(GitCommandError) as caught:
        run_git(clone, "rev-parse", "--verify", "nothing-like-it")

    assert caught.value.argv == ("rev-parse", "--verify", "nothing-like-it")
    assert caught.value.code == 128
    assert "Needed a single revision" in caught.value.stderr
    assert not caught.value.transient


def test_an_error_holds_no_credentials(clone: Path) -> None:
    with pytest.raises(GitCommandError) as caught:
        run_git(clone, "fetch", "https://bob:SEK@RET@localhost:1/x.git?private_token=SEKRET2")

    error = caught.value
    assert error.argv == ("fetch", "https://localhost:1/x.git")
    shown = f"{error} {error!r} {error.argv} {error.stdout} {error.stderr} {error.args}"
    assert not any(secret in shown for secret in ("SEK", "RET", "bob", "private_token"))
    assert "localhost:1/x.git" in str(error)


def test_an_accepted_exit_code_is_no_error(clone: Path) -> None:
    assert run_git(clone, "rev-parse", "--verify", "--quiet", "nothing", accepted=(0, 1)) == ""


@pytest.mark.parametrize("size", [10, 200_000])
def test_gives_stdin_of_any_size(clone: Path, size: int) -> None:
    sha = run_git(clone, "hash-object", "-w", "--stdin", stdin="ä" * size)

    assert run_git(clone, "cat-file", "blob", sha) == "ä" * size


def test_bytes_that_are_no_utf8_survive(clone: Path) -> None:
    sha = run_git(clone, "hash-object", "-w", "--stdin", stdin=b"caf\xe9")

    assert run_git(clone, "cat-file", "blob", sha).encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_says_that_git_is_missing(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(clone / "nowhere"))

    with pytest.raises(UsageError, match="git was not found"):
        run_git(clone, "status")


def test_a_repository_named_by_the_environment_is_not_believed(
    make_repository: Callable[..., Path], git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when we are started from a hook of another repository."""
    ours, other = make_repository("ours"), make_repository("other")
    git(other, "commit", "--quiet", "--allow-empty", "--message", "other")
    expected = git(ours, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))

    assert run_git(ours, "rev-parse", "HEAD") == expected
    assert run_git(ours, "status", "--porcelain") == ""


def test_a_dollar_and_a_tilde_in_a_path_are_only_letters(make_repository: Callable[..., Path]) -> None:
    path = make_repository("$HOME and ~ in ünïcode")

    assert run_git(path, "rev-parse", "--show-toplevel") == str(path)


def test_config_the_user_gives_by_environment_is_kept(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "test.users")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "own")

    assert run_git(clone, "config", "test.users") == "own"
    assert run_git(clone, "config", "core.hooksPath") == "/dev/null"


@pytest.mark.parametrize("key", ["core.fsmonitor", "core.pager", "core.editor", "gpg.program"])
def test_a_planted_program_is_not_run(clone: Path, git: Git, tmp_path: Path, key: str) -> None:
    proof = tmp_path / "proof"
    plant(tmp_path / "evil", proof)
    git(clone, "config", key, str(tmp_path / "evil"))
    git(clone, "config", "commit.gpgSign", "true")
    (clone / "new.txt").write_text("x", encoding="utf-8")

    run_git(clone, "status")
    run_git(clone, "add", "--all")
    run_git(clone, "commit", "--message", "x")
    run_git(clone, "log")

    assert not proof.exists()


def test_a_planted_hook_is_not_run(clone: Path, git: Git, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    for hook in ("pre-commit", "commit-msg", "post-commit", "post-checkout", "reference-transaction", "pre-push"):
        plant(clone / ".git/hooks" / hook, proof)
    git(clone, "config", "core.hooksPath", str(clone / ".git/hooks"))

    run_git(clone, "commit", "--allow-empty", "--message", "x")
    run_git(clone, "push", "origin", "main")
    run_git(clone, "checkout", "--quiet", "-b", "other")

    assert not proof.exists()


def test_ext_urls_are_refused(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(GitCommandError, match="transport 'ext' not allowed"):
        run_git(clone, "fetch", f"ext::touch {tmp_path}/proof")

    assert not (tmp_path / "proof").exists()


def test_importing_needs_no_git(tmp_path: Path) -> None:
    """GitPython by itself fails at import."""
    code = "import parallel_workers.adapters.git.repository"
    root = Path(__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
