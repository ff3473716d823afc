"""Commits made as an agent makes them."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Git


def commit(git: Git, path: Path, text: str) -> str:
    """One more commit that writes `text` into README.md."""
    (path / "README.md").write_text(text, encoding="utf-8")
    git(path, "commit", "--quiet", "--all", "--message", text)
    return git(path, "rev-parse", "HEAD")
