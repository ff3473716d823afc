"""What a measurement finds: figures, some of them with a target that holds or does not."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """One number and its unit. `target` is in words; `holds` is None when there is none to meet."""

    name: str
    value: float
    unit: str
    target: str = ""
    holds: bool | None = None


class Measurement(NamedTuple):
    """What one measurement found. `details`, every single run, goes into the JSON only."""

    name: str
    about: str
    figures: tuple[Figure, ...]
    details: object


def at_most(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that must not exceed `limit`."""
    return Figure(name, value, unit, f"≤ {limit:g}", value <= limit)


def at_least(name: str, value: float, unit: str, limit: float) -> Figure:
    """A figure that must reach `limit`."""
    return Figure(name, value, unit, f"≥ {limit:g}", value >= limit)
