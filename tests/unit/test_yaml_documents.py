"""Reading hand-written YAML: limits, encodings, syntax, and the line of everything."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
import yaml

from parallel_workers.errors import InvalidSpecError
from parallel_workers.reading.yaml_documents import MAX_BYTES, Document, load_document, parse_document


def document_of(text: str) -> Document:
    document = parse_document(text, "f.yml")
    assert document is not None
    assert document.problems == ()
    return document


def problems_of(content: bytes, folder: Path) -> list[str]:
    path = folder / "f.yml"
    path.write_bytes(content)
    with pytest.raises(InvalidSpecError) as caught:
        load_document(path)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_keeps_the_line_of_every_key_and_item() -> None:
    document = document_of("# first\na: 1\nb:\n  - x\n  -\n    c: 3\n    d: {e: 4,\n        f: 5}\n")
    assert document.data == {"a": 1, "b": ["x", {"c": 3, "d": {"e": 4, "f": 5}}]}
    assert document.line_of(("a",)) == 2
    assert document.line_of(("b",)) == 3
    assert document.line_of(("b", 0)) == 4
    assert document.line_of(("b", 1, "c")) == 6
    assert document.line_of(("b", 1, "d", "f")) == 8


def test_the_line_of_what_is_missing_is_that_of_what_is_around_it() -> None:
    document = document_of("a: 1\nb:\n  c: 2\n")
    assert document.line_of(("b", "nowhere", 3)) == 2
    assert document.line_of(("b", "c", "d")) == 3
    assert document.line_of(("nowhere",)) == 1


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("4", 4),
        ("-4", -4),
        ("010", 10),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        # YAML 1.1 would make these True, False, 750, a date, 1 and a float that JSON cannot hold.
        ("on", "on"),
        ("no", "no"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("0b1", "0b1"),
        (".nan", ".nan"),
        ("9" * 5000, "9" * 5000),
        ('"4"', "4"),
        ("'true'", "true"),
        ("!!str 4", "4"),
        ('!!int "4"', 4),
    ],
)
def test_scalars_are_read_by_the_core_schema(written: str, value: object) -> None:
    data = document_of(f"a: {written}\n").data
    assert isinstance(data, dict)
    assert data["a"] == value
    assert type(data["a"]) is type(value)


def test_anchors_aliases_and_merge_keys_work() -> None:
    text = "base: &b {x: 1, y: 2}\nother: &o {y: 9, z: 3}\nlist: &l [1]\n"
    text += "one:\n  <<: *b\n  y: 5\ntwo:\n  <<: [*o, *b]\nthree: *l\n"
    data = document_of(text).data
    assert isinstance(data, dict)
    assert data["one"] == {"x": 1, "y": 5}
    assert data["two"] == {"x": 1, "y": 9, "z": 3}
    assert data["three"] == [1]
    assert document_of(text).line_of(("one", "y")) == 6
    assert document_of(text).line_of(("one", "x")) == 1


def test_a_quoted_merge_sign_is_an_ordinary_key() -> None:
    assert document_of('"<<": 1\n').data == {"<<": 1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yml:3: the key 'a' is here twice: first in line 1 (remove one; the first"),
        (
            "a: !!python/object/apply:os.system [x]\n",
            "f.yml:1: the tag '!!python/object/apply:os.system' is not allowed",
        ),
        ("a: !secret x\n", "f.yml:1: the tag '!secret' is not allowed"),
        ("a: !!int x\n", "f.yml:1: the tag '!!int' is not allowed"),
        ("a: !!binary aGk=\n", "f.yml:1: the tag '!!binary' is not allowed"),
        ("? [a, b]\n: 1\n", "f.yml:1: a key must be plain text"),
        ("a: 1\n<<: 3\n", "f.yml:2: '<<' merges mappings only"),
        ('a: 1\nb: "x\\0y"\n', "f.yml:2: the text contains NUL"),
        ('a: "\\e[31m"\n', "f.yml:1: the text contains the control character U+001B"),
    ],
)
def test_notes_what_does_not_stop_the_reading(text: str, problem: str) -> None:
    document = parse_document(text, "f.yml")
    assert document is not None
    assert len(document.problems) == 1
    assert str(document.problems[0]).startswith(problem)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a:\n\t- b\n", "f.yml:2: column 1: a tab in the indentation (YAML indents with spaces only)"),
        ("a: b: c\n", "f.yml:1: column 5: a ':' where no key can be (put text that contains ': ' in quotes)"),
        ("a: [1\nb: 2\n", "f.yml:2: column 2: a list that began with '[' is not closed (close it with ']')"),
        ("a: {b: 1\n", "f.yml:1: column 9: a mapping that began with '{' is not closed (close it with '}')"),
        ("a: 1\nb: 'x\nc: 2\n", "f.yml:2: column 4: a quote is not closed"),
        ("a: @x\n", "f.yml:1: column 4: a character that cannot begin a value (put the text in quotes)"),
        ("a: 1\n---\nb: 2\n", "f.yml:2: a second document begins here"),
        ("a: *b\n", "f.yml:1: the alias '*b' has no anchor (write '&b' before the first one)"),
        ("a: &a [1, *a]\n", "f.yml:1: the alias '*a' stands inside what it refers to"),
        ("a: 1\n---\n", "f.yml:2: a second document begins here"),
        ("[" * 300_000, "f.yml:1: nested more than 50 levels deep"),
        ("- " * 300_000, "f.yml:1: nested more than 50 levels deep"),
        ("{a: " * 60, "f.yml:1: nested more than 50 levels deep"),
        ("a,b" + "\0", "f.yml:1: a NUL byte"),
        ("a: 1\nb: \x07\n", "f.yml:2: the control character U+0007 (remove it)"),
        ("a: 1\nb: \x9b31m\n", "f.yml:2: the control character U+009B (remove it)"),
    ],
)
def test_refuses_what_it_cannot_read(text: str, problem: str) -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_document(text, "f.yml")
    assert str(caught.value).startswith(problem)


def test_aliases_that_multiply_are_refused() -> None:
    text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        text += f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    with pytest.raises(InvalidSpecError, match=r"f\.yml:4: more than 100,000 values, aliases written out"):
        parse_document(text, "f.yml")


def test_aliases_that_only_nest_are_refused() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 80))
    with pytest.raises(InvalidSpecError, match="nested more than 50 levels deep"):
        parse_document(text, "f.yml")


def test_merge_keys_that_multiply_are_refused() -> None:
    keys = ", ".join(f"k{i}: 1" for i in range(2000))
    text = f"a: &a {{{keys}}}\nb:\n" + "  - <<: *a\n" * 60
    with pytest.raises(InvalidSpecError, match="more than 100,000 values"):
        parse_document(text, "f.yml")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "~\n"])
def test_an_empty_text_is_no_document(text: str) -> None:
    assert parse_document(text, "f.yml") is None


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert problems_of(b"# nothing\n", tmp_path) == ["f.yml:1: the file is empty (begin with 'project:' and 'tasks:')"]


def test_a_byte_order_mark_of_utf8_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_bytes(b"\xef\xbb\xbfa: \xc3\xa9\r\nb: 2\r\n")
    document = load_document(path)
    assert document.data == {"a": "é", "b": 2}
    assert document.line_of(("b",)) == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "a: é\n".encode("utf-16"),
            "f.yml:1: the file is UTF-16, not UTF-8 (save it as UTF-8: iconv -f UTF-16 -t UTF-8)",
        ),
        (
            "a: é\n".encode("utf-32"),
            "f.yml:1: the file is UTF-32, not UTF-8 (save it as UTF-8: iconv -f UTF-32 -t UTF-8)",
        ),
        ("a: b\n".encode("utf-16-le"), "f.yml:1: a NUL byte (the file is binary, or UTF-16"),
        ("a: 1\nb: é\n".encode("latin-1"), "f.yml:2: not UTF-8: the byte 0xe9 is no text (save the file as UTF-8"),
    ],
)
def test_other_encodings_are_refused_with_the_way_out(content: bytes, problem: str, tmp_path: Path) -> None:
    (found,) = problems_of(content, tmp_path)
    assert found.startswith(problem)


def test_a_large_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    with path.open("wb") as stream:
        stream.truncate(1024**4)  # sparse; reading it would need 1 TiB of memory
    with pytest.raises(InvalidSpecError, match=r"f\.yml:1: the file is larger than 1 MiB: 1048576\.0 MiB"):
        load_document(path)


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yml"
    path.write_text("a: 1\n" + "#" * (MAX_BYTES - 5), encoding="utf-8")
    assert load_document(path).data == {"a": 1}
    path.write_text("a: 1\n" + "#" * (MAX_BYTES - 4), encoding="utf-8")
    with pytest.raises(InvalidSpecError, match="larger than 1 MiB"):
        load_document(path)


def test_a_pipe_is_read_but_only_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"a: 1\n",))
    writer.start()
    assert load_document(path).data == {"a": 1}
    writer.join()
    with pytest.raises(InvalidSpecError, match="larger than 1 MiB"):
        load_document(Path("/dev/zero"))


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpecError, match="there is no such file"):
        load_document(tmp_path / "nothing.yml")
    with pytest.raises(InvalidSpecError, match="this is a folder, not a file"):
        load_document(tmp_path)
    with pytest.raises(InvalidSpecError, match="cannot be read"):
        load_document(Path("a\0b"))


def test_the_pure_python_scanner_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "base: &b {x: 1}\nlist:\n  - <<: *b\n    y: [a, 'b', \"c\"]\n"
    fast = document_of(text)
    monkeypatch.setattr("parallel_workers.reading.yaml_documents._LOADER", yaml.SafeLoader)
    slow = document_of(text)
    assert slow.data == fast.data
    assert slow.root == fast.root
    with pytest.raises(InvalidSpecError, match=r"f\.yml:1: column 5: a ':' where no key can be"):
        parse_document("a: b: c\n", "f.yml")
