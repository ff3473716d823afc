"""Reads a batch file as every verb wants it: checked also against the repository it is for, and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from parallel_workers.cli.output import say

if TYPE_CHECKING:
    from parallel_workers.cli.run_options import RunRequest
    from parallel_workers.spec import BatchSpec


def read_batch(spec: Path) -> BatchSpec:
    """The batch in a file. One that names its repository by URL gets the path of a clone instead, made if need be.

    Raises:
        InvalidSpecError: the file, the repository it names, or that one's settings file, does not hold; carries all
            problems.
        GitCommandError: the repository cannot be cloned just now.
    """
    from flows.batch_files import check_written
    from parallel_workers.reading.yaml_documents import load_document

    document = load_document(spec)
    batch, path = check_written(document, str(spec), spec.stem, on_clone=lambda url: say(f"Cloning {url} …"))
    return batch if path == batch.repository else batch.model_copy(update={"repository": path})


def how_to_go_on_with(spec: Path, batch: BatchSpec, request: RunRequest) -> str:
    """What to say when a run of the batch that `read_batch` read was stopped; holds in any folder and shell."""
    from parallel_workers.messages import how_to_go_on

    command = ("parallel-workers", "run", str(spec.absolute()), *request.to_repeat())
    return how_to_go_on(command, None if Path(batch.repository).is_absolute() else str(Path.cwd()))
