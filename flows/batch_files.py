"""Reads a batch as every way in wants it: checked also against the repository it is for, and its settings.

Imports no Prefect: the command line checks a file before it starts anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import yaml

from parallel_workers.adapters.git.clones import clone_path, ensure_clone, is_url
from parallel_workers.adapters.git.repository import open_repository
from parallel_workers.errors import BaseBranchError, GitCommandError, InvalidSpecError, Problem, UsageError
from parallel_workers.locations import data_folder
from parallel_workers.reading.yaml_documents import Document, load_document, parse_document
from parallel_workers.reading.yaml_nodes import ScalarNode, mapping_of
from parallel_workers.remote_urls import without_credentials
from parallel_workers.settings import SETTINGS_FILE, RepositorySettings, parse_settings
from parallel_workers.spec import BatchSpec
from parallel_workers.validation import check_batch

PASTED = "batch"
"""Name of a batch that came without a file."""
_REPOSITORY = "repository"
_IN_REPOSITORY = re.compile(r"(?P<url>[a-z][a-z0-9+.-]*://.+?|[^/:\s]+:.+?)//(?P<path>[^?]+)(?:\?ref=(?P<ref>.+))?")


def batch_text(batch: BatchSpec) -> str:
    """The batch as the text of a batch file."""
    written = batch.model_dump(mode="json")
    del written["name"]
    return yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=120)


def read_spec(spec: str, repository: str | None = None, name: str | None = None) -> BatchSpec:
    """The batch in pasted YAML, in a file of this machine, or in a file of a repository.

    The last is written as `<URL>//<path>[?ref=<branch>]`; without a branch it is main.
    `repository` stands for what the batch names; a URL stays a URL, so that every machine has a clone of its own.

    Raises:
        InvalidSpecError: it does not hold; carries all problems with file and line.
        UsageError: there is no such file, repository or branch.
    """
    document, file, found = _load(spec)
    batch, _ = check_written(document, file, name or found, repository)
    where = repository or batch.repository
    if not is_url(where):
        where = str(Path(where).expanduser().absolute())
    return batch.model_copy(update={_REPOSITORY: where})


def _load(spec: str) -> tuple[Document, str, str]:
    """The document, what to call it in messages, and the batch's name."""
    inside = _IN_REPOSITORY.fullmatch(spec.strip())
    if "\n" in spec.strip() or (": " in spec and inside is None):
        return _parsed(spec, "pasted YAML"), "pasted YAML", PASTED
    if inside is None:
        path = Path(spec.strip()).expanduser()
        return load_document(path), str(path), path.stem
    url, path_in_it, ref = inside["url"], inside["path"], inside["ref"]
    git = open_repository(str(ensure_clone(url, data_folder().clones)))
    branch = ref or str(BatchSpec.model_fields["base_branch"].default)
    text = git.read_base_file(git.fetch_base(branch), path_in_it)
    if text is None:
        raise UsageError(f"there is no file {path_in_it} on {branch} of {without_credentials(url)}")
    file = f"{branch}:{path_in_it}"
    return _parsed(text, file), file, PurePosixPath(path_in_it).stem


def _parsed(text: str, file: str) -> Document:
    document = parse_document(text, file)
    if document is None:
        raise InvalidSpecError((Problem(file, 1, "there is nothing in it", "begin with 'project:' and 'tasks:'"),))
    return document


def check_written(
    document: Document,
    file: str,
    name: str,
    repository: str | None = None,
    on_clone: Callable[[str], None] | None = None,
) -> tuple[BatchSpec, str]:
    """The batch in a document, and the path of its repository, which is cloned if it is a URL.

    Agents may also be those of the repository's settings on its base branch. `on_clone` is told of a URL before it is
    cloned.

    Raises:
        InvalidSpecError: the document, the repository, or that one's settings file, does not hold.
        GitCommandError: the repository cannot be cloned just now.
    """
    written = repository or _written_repository(document)
    path, problems = (".", ()) if written is None else _find_repository(written, document, on_clone)

    def settings_of(_: str, base_branch: str) -> RepositorySettings:
        return _settings_of(path, base_branch)

    try:
        batch = check_batch(document, file, name, None if problems else settings_of)
    except InvalidSpecError as error:
        problems = (*error.problems, *problems)
    if problems:
        raise InvalidSpecError(tuple(sorted(problems, key=lambda one: (one.file != file, one.line))))
    return batch, path


def _written_repository(document: Document) -> str | None:
    """What the file says, if it says something that can be looked for; what cannot is a fault of its own."""
    entry = mapping_of(document.root).get(_REPOSITORY)
    if entry is None or not isinstance(entry.node, ScalarNode) or entry.node.value is None:
        return None
    text = entry.node.text
    return text if text and text.isprintable() and text == text.strip() else None


def _find_repository(
    written: str, document: Document, on_clone: Callable[[str], None] | None
) -> tuple[str, tuple[Problem, ...]]:
    """The path of the repository; or also why there is none, as a problem of the line that names it."""
    path = written
    try:
        path = str(_clone(written, on_clone)) if is_url(written) else str(Path(written).expanduser())
        open_repository(path)
    except (UsageError, OSError) as error:
        line = document.line_of((_REPOSITORY,))
        return path, (Problem(document.file, line, f"repository: {error}"),)
    return path, ()


def _clone(url: str, on_clone: Callable[[str], None] | None) -> Path:
    folder = data_folder().clones
    if on_clone is not None and not clone_path(url, folder).is_dir():
        on_clone(without_credentials(url))
    try:
        return ensure_clone(url, folder)
    except GitCommandError as error:
        if error.transient:
            raise
        raise UsageError(f"{error}; check the URL, and that git may read it without asking for a password") from error


def _settings_of(repository: str, base_branch: str) -> RepositorySettings:
    """The settings as the base branch has them; none where there is no repository to ask: the run will tell."""
    try:
        git = open_repository(repository)
        text = git.read_base_file(git.fetch_base(base_branch), SETTINGS_FILE)
    except (BaseBranchError, UsageError):
        return RepositorySettings()
    return parse_settings(text or "", f"{base_branch}:{SETTINGS_FILE}")
