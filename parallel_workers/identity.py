"""Names that follow from the task alone, so that a second run finds what the first one made."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

BRANCH_PREFIX = "feature/"
REF_PREFIX = "refs/parallel-workers/"
WORKER_REF_PREFIX = f"{REF_PREFIX}workers/"
"""`<prefix><worker id>` points at the base commit the worker's branch was made from: proof of ownership."""
RESCUE_REF_PREFIX = f"{REF_PREFIX}rescue/"
PULL_REF_PREFIX = f"{REF_PREFIX}pulls/"

_MAX_SLUG = 100


def slugify(text: str) -> str:
    """Lower-case ASCII words joined by '-'; safe as a path part and as part of a ref name.

    Returns '' when nothing is left: callers report that as a bad id.
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")[:_MAX_SLUG].rstrip("-")


def worker_id(repository: str, batch: str, task_id: str) -> str:
    """`worker-<8 hex>`, the same for the same repository, batch and task on any machine."""
    digest = hashlib.sha256("\0".join((repository, batch, task_id)).encode()).hexdigest()
    return f"worker-{digest[:8]}"


def branch_name(task_id: str) -> str:
    """The branch a task is worked on: `feature/<slug of the task id>`."""
    return f"{BRANCH_PREFIX}{slugify(task_id)}"


def worktree_path(root: Path, project: str, task_id: str) -> Path:
    """Where a task's worktree lives: `<root>/<project>/<task-id slug>`."""
    return root / slugify(project) / slugify(task_id)


def worker_ref(worker: str) -> str:
    """The ref that marks a branch and worktree as this worker's own."""
    return f"{WORKER_REF_PREFIX}{worker}"
