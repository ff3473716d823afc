"""Reads a batch file as every verb wants it: checked also against the repository it is for, and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parallel_workers.cli.output import say
from parallel_workers.errors import GitCommandError, InvalidSpecError, Problem, UsageError

if TYPE_CHECKING:
    from parallel_workers.cli.run_options import RunRequest
    from parallel_workers.reading.yaml_documents import Document
    from parallel_workers.settings import RepositorySettings
    from parallel_workers.spec import BatchSpec

_REPOSITORY = "repository"


def read_batch(spec: Path) -> BatchSpec:
    """The batch in a file. One that names its repository by URL gets the path of a clone instead, made if need be.

    Agents may also be those of the repository's settings on its base branch.

    Raises:
        InvalidSpecError: the file, the repository it names, or that one's settings file, does not hold; carries all
            problems.
        GitCommandError: the repository cannot be cloned just now.
    """
    from parallel_workers.reading.yaml_documents import load_document
    from parallel_workers.validation import check_batch

    document = load_document(spec)
    written = _written_repository(document)
    path, problems = (".", ()) if written is None else _find_repository(written, document)

    def settings_of(_: str, base_branch: str) -> RepositorySettings:
        return _settings_of(path, base_branch)

    try:
        batch = check_batch(document, str(spec), spec.stem, None if problems else settings_of)
    except InvalidSpecError as error:
        problems = (*error.problems, *problems)
    if problems:
        raise InvalidSpecError(tuple(sorted(problems, key=lambda one: (one.file != str(spec), one.line))))
    return batch if path == batch.repository else batch.model_copy(update={_REPOSITORY: path})


def how_to_go_on_with(spec: Path, batch: BatchSpec, request: RunRequest) -> str:
    """What to say when a run of the batch that `read_batch` read was stopped; holds in any folder and shell."""
    from parallel_workers.messages import how_to_go_on

    command = ("parallel-workers", "run", str(spec.absolute()), *request.to_repeat())
    return how_to_go_on(command, None if Path(batch.repository).is_absolute() else str(Path.cwd()))


def _written_repository(document: Document) -> str | None:
    """What the file says, if it says something that can be looked for; what cannot is a fault of its own."""
    from parallel_workers.reading.yaml_nodes import ScalarNode, mapping_of

    entry = mapping_of(document.root).get(_REPOSITORY)
    if entry is None or not isinstance(entry.node, ScalarNode) or entry.node.value is None:
        return None
    text = entry.node.text
    return text if text and text.isprintable() and text == text.strip() else None


def _find_repository(written: str, document: Document) -> tuple[str, tuple[Problem, ...]]:
    """The path of the repository; or also why there is none, as a problem of the line that names it."""
    from parallel_workers.adapters.git.clones import is_url
    from parallel_workers.adapters.git.repository import open_repository

    path = written
    try:
        if is_url(written):
            path = str(_clone(written))
        open_repository(path)
    except (UsageError, OSError) as error:
        line = document.line_of((_REPOSITORY,))
        return path, (Problem(document.file, line, f"repository: {error}"),)
    return path, ()


def _clone(url: str) -> Path:
    from parallel_workers.adapters.git.clones import clone_path, ensure_clone
    from parallel_workers.locations import data_folder
    from parallel_workers.remote_urls import without_credentials

    folder = data_folder().clones
    if not clone_path(url, folder).is_dir():
        say(f"Cloning {without_credentials(url)} …")
    try:
        return ensure_clone(url, folder)
    except GitCommandError as error:
        if error.transient:
            raise
        raise UsageError(f"{error}; check the URL, and that git may read it without asking for a password") from error


def _settings_of(repository: str, base_branch: str) -> RepositorySettings:
    """The settings as the base branch has them; none where there is no repository to ask: `run` will tell."""
    from parallel_workers.adapters.git.repository import open_repository
    from parallel_workers.errors import BaseBranchError
    from parallel_workers.settings import SETTINGS_FILE, RepositorySettings, parse_settings

    try:
        git = open_repository(repository)
        text = git.read_base_file(git.fetch_base(base_branch), SETTINGS_FILE)
    except (BaseBranchError, UsageError):
        return RepositorySettings()
    return parse_settings(text or "", f"{base_branch}:{SETTINGS_FILE}")
