"""The meta commit of a pull request reads back exactly, whatever people and agents write."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_workers.adapters.git.command import run_git
from parallel_workers.adapters.local_forge.objects import Ident, ParsedCommit, parse_commit
from parallel_workers.adapters.local_forge.records import PullRecord, decode_record, encode_record
from parallel_workers.errors import ForgeError
from parallel_workers.plain_text import clean_text
from parallel_workers.pull_requests import PullRequestState

_IDENT = Ident("A B <a@b.invalid> 1700000000 +0000")
_TEXTS = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "Pull-Request-State: merged",
            "a\n\nPull-Request-State: merged\nWorker: evil",
            "\n\n\n",
            '"quoted"',
            " spaces ",
            "line\r\nline\r\n",
            "--\n\x00NUL\x1b[31m",
            "Ünïcode \u2028 \ud800 🎉",
        ]
    ),
).map(clean_text)
_SHAS = st.one_of(st.none(), st.just("5" * 40))
_RECORDS = st.builds(
    PullRecord,
    title=_TEXTS,
    body=_TEXTS,
    state=st.sampled_from(PullRequestState),
    worker=st.one_of(st.none(), _TEXTS),
    head_branch=_TEXTS,
    base_branch=_TEXTS,
    base_sha=st.one_of(st.just(""), st.just("4" * 40)),
    labels=st.lists(_TEXTS, max_size=3).map(tuple),
    milestone=st.one_of(st.none(), _TEXTS),
    merge_sha=_SHAS,
    merged_onto=_SHAS,
    created_at=st.just("2026-11-22T10:00:00Z"),
    updated_at=st.just("2023-11-14T22:13:20Z"),
    reason=_TEXTS,
)


@settings(deadline=None, max_examples=300)
@given(_RECORDS)
def test_any_record_reads_back(record: PullRecord) -> None:
    commit = ParsedCommit("1" * 40, "2" * 40, (), _IDENT, _IDENT, encode_record(record))
    assert decode_record(commit) == record


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=_RECORDS)
def test_any_record_reads_back_through_git(record: PullRecord) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        run_git(folder, "init", "--quiet", "--bare")
        tree = run_git(folder, "mktree", stdin="")
        text = f"tree {tree}\nauthor {_IDENT.text}\ncommitter {_IDENT.text}\n\n{encode_record(record)}"
        sha = run_git(folder, "hash-object", "-t", "commit", "-w", "--stdin", stdin=text)
        # git's pretty-printer, and git's own reading of the trailers
        content = run_git(folder, "cat-file", "commit", sha)
        state = run_git(folder, "log", "-1", "--format=%(trailers:key=Pull-Request-State,valueonly)", sha)
    finally:
        shutil.rmtree(folder)
    # the adapter reads with `cat-file --batch`, which keeps the last newline that run_git takes off here
    assert decode_record(parse_commit(sha, f"{content}\n")) == record
    assert state.strip() == record.state.value


def test_a_record_is_readable() -> None:
    record = PullRecord("Add login", "Uses JWT.\n", PullRequestState.OPEN, "worker-1", "feature/a", "main", "4" * 40)
    assert encode_record(record._replace(labels=("agent",), created_at="2026-11-22T10:00:00Z")).split("\n") == [
        "Add login",
        "",
        "Uses JWT.",
        "",
        "",
        "Pull-Request-State: open",
        "Worker: worker-1",
        "Head-Branch: feature/a",
        "Base-Branch: main",
        f"Base-Commit: {'4' * 40}",
        "Label: agent",
        "Created-At: 2026-11-22T10:00:00Z",
        "",
    ]


@pytest.mark.parametrize("message", ["", "chore: anything\n", "a\n\nPull-Request-State: odd\n"])
def test_another_commit_is_refused_by_name(message: str) -> None:
    with pytest.raises(ForgeError, match="1111"):
        decode_record(ParsedCommit("1" * 40, "2" * 40, (), _IDENT, _IDENT, message))


def test_text_a_commit_cannot_hold_is_replaced() -> None:
    assert clean_text("a\0b\ud800c🎉") == "a\ufffdb\ufffdc🎉"


def test_parse_commit_leaves_signatures_out_and_keeps_the_encoding(make_repository: Callable[..., Path]) -> None:
    content = (
        f"tree {'2' * 40}\nparent {'3' * 40}\nauthor {_IDENT.text}\ncommitter {_IDENT.text}\nencoding ISO-8859-1\n"
        "gpgsig -----BEGIN\n tree of nothing\n\n -----END\n".replace("\n\n", "\n \n")
        + "\nsubject\n\nbody\n"
    )
    commit = parse_commit("1" * 40, content)
    assert (commit.parents, commit.encoding, commit.message) == (("3" * 40,), "ISO-8859-1", "subject\n\nbody\n")
