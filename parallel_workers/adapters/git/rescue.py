"""Saves uncommitted work under a ref of its own before anything is removed."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from loguru import logger

from parallel_workers.adapters.git.commits import ParsedStatus
from parallel_workers.adapters.git.opened import OpenedRepository, WorktreeLocation
from parallel_workers.identity import RESCUE_REF_PREFIX


def rescue_ref(owner: str, now: datetime) -> str:
    """`refs/parallel-workers/rescue/<owner>/<utc time>`, to the microsecond; `owner` is a worker or a branch."""
    return f"{RESCUE_REF_PREFIX}{owner}/{now:%Y%m%dT%H%M%S.%fZ}"


def save_work(opened: OpenedRepository, location: WorktreeLocation, status: ParsedStatus) -> str:
    """Save all that is uncommitted (ignored files stay out) as a commit on HEAD; the rescue ref.

    The worktree and its index are not touched: the tree is built in an index of its own.
    """
    with tempfile.TemporaryDirectory(prefix="parallel-workers-") as folder:
        index = Path(folder) / "index"
        if (location.git_dir / "index").exists():
            # its stat data spares git from reading every file again
            shutil.copyfile(location.git_dir / "index", index)
        own_index = {"GIT_INDEX_FILE": str(index)}
        opened.git_in(location, "add", "--all", "--sparse", "--", ":/", env=own_index)
        tree = opened.git_in(location, "write-tree", env=own_index)
    parents = ("-p", status.head_sha) if status.head_sha else ()
    message = f"rescue: uncommitted work of {location.path.name}\n\nSaved before the worktree was removed.\n"
    commit = opened.git("commit-tree", *parents, "-F", "-", tree, stdin=message)
    noted = location.linked.worker if location.linked is not None else None
    ref = rescue_ref(noted or status.branch or location.path.name, datetime.now(UTC))
    opened.git("update-ref", ref, commit, "")
    logger.warning(
        "saved the uncommitted work of {} as {}; get it back with: git branch rescued {}", location.path, ref, ref
    )
    return ref
