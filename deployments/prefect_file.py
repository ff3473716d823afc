"""`prefect.yaml`: where it is, in a clone and in an installed wheel, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

_NAME = "prefect.yaml"


class DeploymentEntry(NamedTuple):
    """One deployment of the file; schedules as Prefect's file format has them."""

    name: str
    entrypoint: str
    description: str
    tags: tuple[str, ...]
    work_pool: str
    concurrency_limit: int | None
    collision_strategy: str | None
    schedules: tuple[dict[str, Any], ...]


def prefect_file() -> Path:
    """The file: a wheel has a copy beside this module, a clone has it at its root."""
    here = Path(__file__).resolve().parent
    copy = here / _NAME
    return copy if copy.is_file() else here.parent / _NAME


def read_deployments(file: Path) -> tuple[DeploymentEntry, ...]:
    """The deployments of the file, in its order."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return tuple(_entry(each) for each in content["deployments"])


def _entry(given: dict[str, Any]) -> DeploymentEntry:
    limit = given.get("concurrency_limit") or {}
    return DeploymentEntry(
        name=given["name"],
        entrypoint=given["entrypoint"],
        description=given["description"],
        tags=tuple(given["tags"]),
        work_pool=given["work_pool"]["name"],
        concurrency_limit=limit.get("limit"),
        collision_strategy=limit.get("collision_strategy"),
        schedules=tuple(given.get("schedules", ())),
    )
