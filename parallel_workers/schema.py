"""The batch file's JSON Schema, for editors: completion, descriptions, and red lines while writing."""

from __future__ import annotations

import json
from typing import Any

from parallel_workers.spec import BatchFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def batch_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a batch file; what only all tasks together can show is left to `validate`."""
    schema = BatchFile.model_json_schema(mode="validation")
    # Keys of the user's own, a place for anchors.
    schema["patternProperties"] = {"^x-": {"description": "yours: a place to keep anchors"}}
    return {
        "$schema": DIALECT,
        **schema,
        "title": "parallel-workers batch file",
        "description": "Tasks that each become one pull request.",
    }


def schema_text() -> str:
    """The schema as docs/batch.schema.json holds it."""
    return json.dumps(batch_schema(), indent=2, ensure_ascii=False) + "\n"
