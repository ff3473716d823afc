"""What watching pull requests on GitHub takes of a user's hourly limits: 5,000 requests and 5,000 GraphQL points."""

from __future__ import annotations

from statistics import median

from benchmarks.figures import Figure, Measurement, at_most
from benchmarks.github_hour import Hour, watch_for_an_hour
from benchmarks.options import Options

OPEN_PULLS = (1, 100, 1_000)
_REQUESTS, _POINTS = 720, 1_200


def measure(options: Options) -> Measurement:
    """An hour with 1, 100 and 1,000 open pull requests; `quick` leaves the last one out."""
    hours = [watch_for_an_hour(count) for count in (OPEN_PULLS[:-1] if options.quick else OPEN_PULLS)]
    about = "an hour of looks every 5 s, checks running, one red a minute, a comment every 20 s, a merge every 5 min"
    return Measurement("github-budget", about, tuple(figure for hour in hours for figure in _figures(hour)), hours)


def _figures(hour: Hour) -> list[Figure]:
    count = f"{hour.open_pulls:,} open"
    figures = [
        at_most(f"{count}: REST requests an hour", hour.requests, "", _REQUESTS),
        Figure(f"{count}: of them answered 304, which cost nothing", hour.not_modified, ""),
        at_most(f"{count}: GraphQL points an hour", hour.points, "", _POINTS),
    ]
    if hour.late_seconds:
        figures.append(Figure(f"{count}: a red check is seen after (median)", median(hour.late_seconds), "s"))
        figures.append(Figure(f"{count}: a red check is seen after (longest)", max(hour.late_seconds), "s"))
    figures.append(at_most(f"{count}: red checks not seen by the end", hour.never_seen, "", 5))
    return figures
