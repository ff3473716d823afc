"""Which Prefect server the user configured, read as Prefect reads it but without importing Prefect."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path


def find_configured_server(environment: Mapping[str, str] | None = None) -> str | None:
    """The API URL from `PREFECT_API_URL`, else from the active Prefect profile; None when neither names one.

    The profile is `$PREFECT_PROFILE`, else the file's `active` one, in `$PREFECT_PROFILES_PATH`, else in
    `$PREFECT_HOME/profiles.toml` (`~/.prefect`). A file that is missing or broken configures nothing.
    """
    environment = os.environ if environment is None else environment
    url = environment.get("PREFECT_API_URL") or _profile(environment).get("PREFECT_API_URL")
    return str(url).rstrip("/") if url else None


def _profile(environment: Mapping[str, str]) -> Mapping[str, object]:
    home = Path(environment.get("PREFECT_HOME") or "~/.prefect").expanduser()
    file = Path(environment.get("PREFECT_PROFILES_PATH") or home / "profiles.toml").expanduser()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    name = environment.get("PREFECT_PROFILE") or content.get("active")
    profiles = content.get("profiles")
    profile = profiles.get(name) if isinstance(profiles, dict) else None
    return profile if isinstance(profile, dict) else {}
