"""How often a repository is looked at, and what that may cost an hour.

REST: `LIST_BURST + LIST_PER_HOUR + OVERDRAFT` = 40 + 634 + 40 = 714 requests in any hour, whatever the number of pull
requests; the repository itself is read 6 times beside that.
GraphQL: `GRAPH_BURST + GRAPH_PER_HOUR + OVERDRAFT` = 150 + 1,000 + 40 = 1,190 points in any hour; the last chunk of a
full query may come on top.
"""

from __future__ import annotations

from typing import NamedTuple

LIST_BURST, LIST_PER_HOUR = 40.0, 634.0
GRAPH_BURST, GRAPH_PER_HOUR = 150.0, 1_000.0
OVERDRAFT = 40.0
"""What looks at once, for a person or an event, may take beyond that; the looks after them wait for it to fill up."""
FULL_RESERVE = 25.0
"""Points left for brief queries before full ones are asked: seeing that something changed goes first."""
FULL_BURST, FULL_PER_HOUR = 20.0, 100.0
"""Of the points, those kept for full queries: among many hundreds the brief ones would take every one."""
MERGEABILITY_RESERVE = 20.0
"""The same for list pages, before single pull requests are read."""


class WatchPace(NamedTuple):
    """Seconds between looks. All double up to the second value while nothing changes."""

    list_seconds: float = 5.0
    list_max_seconds: float = 15.0
    quiet_after_seconds: float = 120.0
    """The list slows down when nothing has moved for so long."""
    detail_seconds: float = 15.0
    detail_max_seconds: float = 300.0
    checks_max_seconds: float = 60.0
    """While checks run."""
    mergeable_seconds: float = 0.5
    mergeable_max_seconds: float = 300.0
    settle_seconds: float = 10.0
    """A new head without any check may just not have been noticed by CI: so long it counts as awaiting them."""
    settle_with_ci_seconds: float = 60.0
    """The same where the repository is known to have CI."""


REAL_PACE = WatchPace()
