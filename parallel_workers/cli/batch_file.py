"""Reads a batch file as every verb wants it: checked also against the settings of the repository it is for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parallel_workers.settings import RepositorySettings
    from parallel_workers.spec import BatchSpec


def read_batch(spec: Path) -> BatchSpec:
    """The batch in a file; agents may also be those of the repository's settings on its base branch.

    Raises:
        InvalidSpecError: the file, or the repository's settings file, does not hold; carries all problems.
    """
    from parallel_workers.validation import load_batch

    return load_batch(spec, _settings_of)


def _settings_of(repository: str, base_branch: str) -> RepositorySettings:
    """The settings as the base branch has them; none where there is no repository to ask: `run` will tell."""
    from parallel_workers.adapters.git.repository import open_repository
    from parallel_workers.errors import BaseBranchError, UsageError
    from parallel_workers.settings import SETTINGS_FILE, RepositorySettings, parse_settings

    try:
        git = open_repository(Path(repository))
        text = git.read_base_file(git.fetch_base(base_branch), SETTINGS_FILE)
    except (BaseBranchError, UsageError):
        return RepositorySettings()
    return parse_settings(text or "", f"{base_branch}:{SETTINGS_FILE}")
