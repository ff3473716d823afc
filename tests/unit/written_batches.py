"""Batch files as tests write them: a passing one, and what is wrong with a changed one."""

from __future__ import annotations

import textwrap

import pytest

from parallel_workers.errors import InvalidSpecError
from parallel_workers.reading.yaml_documents import parse_document
from parallel_workers.spec import BatchSpec
from parallel_workers.validation import SettingsLookup, check_batch

FILE = "batch.yml"


def check(text: str, settings_of: SettingsLookup | None = None) -> BatchSpec:
    """The batch that a file with this text holds."""
    document = parse_document(textwrap.dedent(text), FILE)
    assert document is not None
    return check_batch(document, FILE, "batch", settings_of)


def problems_of(text: str, settings_of: SettingsLookup | None = None) -> list[str]:
    """Everything `validate` says about a file with this text, one string each; fails when it says nothing."""
    with pytest.raises(InvalidSpecError) as caught:
        check(text, settings_of)
    assert caught.value.exit_code == 2
    return [str(problem) for problem in caught.value.problems]


def with_task(*lines: str) -> str:
    """A batch that holds, with one task T-1 on lines 3 and 4; `lines` are further keys of it, from line 5 on."""
    return "project: p\ntasks:\n  - id: T-1\n    description: do\n" + "".join(f"    {line}\n" for line in lines)
