"""The kinds of text and numbers a spec is made of, each checked when made.

A refusal is worded as what the value does ("contains a space"), so that whoever reports it can put the
field's name in front; its way out is in the error's context as `hint`.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from parallel_workers.identity import slugify

MAX_ID = 100
MAX_LABEL = 50
"""GitHub's limit for a label's name."""
MAX_YEAR_SECONDS = 366 * 86400.0

COMMENT_HINT = "text that begins with '#' is a comment in YAML: put it in quotes"

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd]?)")
# https://git-scm.com/docs/git-check-ref-format
_REF_CHARACTER = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]")
_REF_SEQUENCES = ("..", "@{", "//")


def refuse(what: str, hint: str = "") -> NoReturn:
    """Raise the error pydantic reports for this value: `what` the value does wrong, `hint` the way out."""
    raise PydanticCustomError("refused", "{what}", {"what": what, "hint": hint})


def find_ref_fault(name: str) -> str | None:
    """What keeps `name` from being part of a git ref name, by the rules of git check-ref-format; None when nothing."""
    character = _REF_CHARACTER.search(name)
    if character is not None:
        shown = "a space" if character[0] == " " else repr(character[0])
        return f"contains {shown}, which no git ref name may"
    for sequence in _REF_SEQUENCES:
        if sequence in name:
            return f"contains '{sequence}', which no git ref name may"
    if name.startswith("/") or name.endswith(("/", ".")) or name == "@":
        return "is no git ref name: it begins with '/', or ends with '/' or '.', or is '@'"
    if any(part.startswith(".") or part.endswith(".lock") for part in name.split("/")):
        return "is no git ref name: a part of it begins with '.' or ends with '.lock'"
    return None


def find_text_fault(text: str) -> str | None:
    """What keeps `text` from being stored, hashed or passed to a program; None when nothing."""
    if "\0" in text:
        return "contains NUL"
    # Lone surrogates: what Python makes of bytes on the command line or in file names that are no UTF-8.
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "is not valid UTF-8"
    return None


def _check_text(text: str) -> str:
    if not text.strip():
        refuse("is empty", COMMENT_HINT)
    return _check_argument(text)


def _check_argument(text: str) -> str:
    fault = find_text_fault(text)
    if fault is not None:
        refuse(fault)
    return text


def _check_line(text: str) -> str:
    _check_text(text)
    if text != text.strip():
        refuse("begins or ends with a space")
    if not text.isprintable():
        refuse("contains a line break or a character that cannot be shown", "keep it on one line")
    return text


def _check_id(text: str) -> str:
    _check_line(text)
    slug = slugify(text)
    if not slug:
        refuse("has no ASCII letter or digit to name a branch with", "for example TASK-001")
    fault = find_ref_fault(text)
    if fault is not None:
        refuse(fault, f"for example '{slug}'")
    return text


def _check_project(text: str) -> str:
    _check_line(text)
    if not slugify(text):
        refuse("has no ASCII letter or digit to name a folder with")
    return text


def _check_branch(name: str) -> str:
    _check_line(name)
    fault = find_ref_fault(name)
    if fault is not None:
        refuse(fault)
    if name.startswith("-"):
        refuse("begins with '-', which no branch name may")
    if name.startswith("refs/"):
        refuse("is a full ref name", f"write the branch name: {name.removeprefix('refs/').removeprefix('heads/')}")
    if name == "HEAD":
        refuse("is no branch name", "write the name of the branch, such as main")
    return name


def _check_folder(text: str) -> str:
    _check_line(text)
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts:
        refuse("leads out of the repository", "write a folder relative to its root, such as src/api")
    if ".git" in path.parts:
        refuse("is git's own folder")
    return text


def _check_variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        refuse("is no name of an environment variable", "name one variable exactly; patterns are not granted")
    return name


def _check_account(name: str) -> str:
    _check_line(name)
    if name.startswith("@"):
        refuse("begins with '@'", f"write the name alone: {name.lstrip('@')}")
    if re.search(r"[\s,;]", name):
        refuse("is no user name: it has a space, ',' or ';' in it", "write a list: [ada, grace]")
    return name


def _check_user(name: str) -> str:
    if "/" in _check_account(name):
        refuse("is a team, and only a user can be assigned")
    return name


def _check_reviewer(name: str) -> str:
    if not re.fullmatch(r"[^/]+(/[^/]+)?", _check_account(name)):
        refuse("is neither a user name nor a team", "write octocat, or organisation/team")
    return name


def parse_duration(value: object) -> object:
    """Seconds from `90`, `"90"`, `"90s"`, `"30m"`, `"2h"` or `"1d"`; other than text is left for pydantic to check."""
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if found is None:
        refuse("is no duration", "write seconds, or for example 90s, 30m, 2h, 1d")
    return float(found[1]) * _UNIT_SECONDS[found[2] or "s"]


Text = Annotated[str, AfterValidator(_check_text)]
"""Text that says something; may have several lines."""
Argument = Annotated[str, AfterValidator(_check_argument)]
"""One argument of a command; may be empty."""
Line = Annotated[str, AfterValidator(_check_line)]
"""Text on one line, nothing in it that cannot be shown."""
TaskId = Annotated[str, Field(max_length=MAX_ID), AfterValidator(_check_id)]
ProjectName = Annotated[str, Field(max_length=MAX_ID), AfterValidator(_check_project)]
BranchName = Annotated[str, Field(max_length=200), AfterValidator(_check_branch)]
Folder = Annotated[str, Field(max_length=1000), AfterValidator(_check_folder)]
Label = Annotated[str, Field(max_length=MAX_LABEL), AfterValidator(_check_line)]
UserName = Annotated[str, Field(max_length=MAX_ID), AfterValidator(_check_user)]
Reviewer = Annotated[str, Field(max_length=MAX_ID), AfterValidator(_check_reviewer)]
"""A user name, or `organisation/team`."""
VariableName = Annotated[str, AfterValidator(_check_variable)]
Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(strict=True, gt=0, le=MAX_YEAR_SECONDS, allow_inf_nan=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_YEAR_SECONDS},
                {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,6})?[smhd]?$"},
            ]
        }
    ),
]
