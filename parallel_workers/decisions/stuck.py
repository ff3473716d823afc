"""When what the forge refuses will not come right by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from parallel_workers.pull_request_snapshots import PullRequestSnapshot

BLOCKED_PATIENCE = timedelta(hours=1)
"""After a push GitHub says only that it is blocked, until the required checks have begun: on busy runners that takes
minutes, not an hour."""


def is_stuck(snapshot: PullRequestSnapshot, now: datetime | None) -> bool:
    """Whether the forge has refused it for long, with nothing pushed or said meanwhile and no check under way.

    Without `now` (aware), or a forge that tells when it changed, nothing is.
    """
    changed_at = snapshot.pull_request.updated_at
    if now is None or not changed_at or not snapshot.blocked_by or snapshot.is_awaiting_checks:
        return False
    return now - datetime.fromisoformat(changed_at) > BLOCKED_PATIENCE
