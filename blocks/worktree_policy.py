"""The Prefect block in which operators say where worktrees live and what of the environment agents get."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from prefect.blocks.core import Block
from pydantic import Field

from blocks.saved import load_or_default
from parallel_workers.environment import (
    DEFAULT_KEPT_NAMES,
    DEFAULT_REFUSED_PATTERNS,
    SecretPolicy,
    filter_environment,
)
from parallel_workers.errors import UsageError


class EnvironmentPreview(NamedTuple):
    """What an environment would become. Names and reasons only: a preview is shown, stored and pasted."""

    kept: tuple[str, ...]
    withheld: dict[str, str]
    reduced: dict[str, str]


class WorktreePolicy(Block):
    """Where worktrees live, and which environment variables agents get.

    Attributes:
        worktree_root: Folder in which worktrees are made, as `<root>/<project>/<task>`.
        kept_names: Shell patterns of variables that pass to agents.
        refused_patterns: Shell patterns, in any case, of variables that never pass unless granted by exact name.
        grants: Exact names of variables that pass to an agent profile, by the profile's name.

    Example:
        ```python
        from blocks.worktree_policy import WorktreePolicy

        policy = await WorktreePolicy.load_or_default()
        policy.preview()
        ```
    """

    _block_type_name = "Worktree Policy"
    _block_type_slug = "worktree-policy"
    _description = "Where parallel-workers makes worktrees, and which environment variables agents get."

    # Append only, and never reorder or rename: order and names are in the schema's checksum, and Prefect then
    # warns about, or no longer loads, what users have saved.
    worktree_root: str = Field(
        default="~/.worktrees",
        title="Worktree root",
        description="Folder in which worktrees are made, as <root>/<project>/<task>. Not inside a clone.",
    )
    kept_names: list[str] = Field(
        default=list(DEFAULT_KEPT_NAMES),
        title="Kept names",
        description="Shell patterns of the environment variables that pass to agents. Nothing else does.",
    )
    refused_patterns: list[str] = Field(
        default=list(DEFAULT_REFUSED_PATTERNS),
        title="Refused patterns",
        description="Shell patterns, in any case, of variables that do not pass even when a kept name matches.",
    )
    grants: dict[str, list[str]] = Field(
        default={},
        title="Grants",
        description="Exact names that pass to an agent profile even when refused, by the profile's name.",
    )

    @classmethod
    async def load_or_default(cls, name: str | None = None) -> Self:
        """The block document of that name; without a name the one called `default`, or the defaults when none is saved.

        Raises:
            UsageError: a name was given and nothing is saved under it, or what is saved does not fit.
        """
        return await load_or_default(cls, name, without_one="for the defaults")

    def resolved_root(self) -> Path:
        """The worktree root as an absolute path, `~` and `$NAME` expanded.

        Raises:
            UsageError: it is no absolute path; a relative one would mean another folder in every process.
        """
        return self.written_root().expanduser()

    def written_root(self) -> Path:
        """The worktree root with `$NAME` expanded, but `~` left to each machine.

        Raises:
            UsageError: it is no absolute path and does not begin with `~`.
        """
        path = Path(os.path.expandvars(self.worktree_root.strip()))
        if not path.expanduser().is_absolute():
            raise UsageError(f"the worktree root must be an absolute path, or begin with ~: {self.worktree_root!r}")
        return path

    def to_policy(self) -> SecretPolicy:
        """The secret-filtering policy as the domain knows it."""
        return SecretPolicy(
            kept_names=tuple(self.kept_names),
            refused_patterns=tuple(self.refused_patterns),
            grants={agent: tuple(names) for agent, names in self.grants.items()},
        )

    def preview(self, environment: Mapping[str, str] | None = None, agent: str | None = None) -> EnvironmentPreview:
        """What an environment (default: this process's) would become for an agent profile; never a value."""
        policy = self.to_policy()
        given = os.environ if environment is None else environment
        filtered = filter_environment(given, policy, policy.granted_to(agent))
        return EnvironmentPreview(tuple(sorted(filtered.kept)), filtered.withheld, filtered.reduced)
