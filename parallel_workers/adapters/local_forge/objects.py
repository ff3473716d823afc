"""Git objects made here and handed to git as one pack: one process for any number of new commits.

Formats: https://git-scm.com/docs/gitformat-pack and `git help hash-object`. git checks and stores them; nothing
is written past it.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple


class ObjectType(IntEnum):
    """Object types by their number in a pack."""

    COMMIT = 1
    TREE = 2
    BLOB = 3


class GitObject(NamedTuple):
    """An object to be written. `sha` is what git will call it."""

    sha: str
    type: ObjectType
    content: bytes


class Ident(NamedTuple):
    """Who and when, as a commit says it: `<name> <email> <seconds> <zone>`, in one string."""

    text: str

    @property
    def person(self) -> str:
        """`Name <email>`, without the time."""
        return self.text.rpartition(">")[0] + ">"

    @property
    def seconds(self) -> int:
        """Unix time."""
        return int(self.text.rpartition(">")[2].split()[0])


class CommitDraft(NamedTuple):
    """A commit to be made."""

    tree: str
    parents: tuple[str, ...]
    author: Ident
    committer: Ident
    message: str
    encoding: str | None = None


class ParsedCommit(NamedTuple):
    """A commit as it was read; `message` has surrogate escapes where it is no UTF-8."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Ident
    committer: Ident
    message: str
    encoding: str | None = None


def make_object(kind: ObjectType, content: bytes, like: str) -> GitObject:
    """An object named by the hash the repository uses; `like` is any object name of that repository."""
    digest = _hash(like)
    digest.update(f"{kind.name.lower()} {len(content)}\0".encode() + content)
    return GitObject(digest.hexdigest(), kind, content)


def make_commit(draft: CommitDraft) -> GitObject:
    """The commit object for a draft."""
    lines = [f"tree {draft.tree}", *(f"parent {parent}" for parent in draft.parents)]
    lines += [f"author {draft.author.text}", f"committer {draft.committer.text}"]
    lines += [f"encoding {draft.encoding}"] if draft.encoding else []
    lines += ["", draft.message]
    return make_object(ObjectType.COMMIT, "\n".join(lines).encode("utf-8", "surrogateescape"), draft.tree)


def make_file_tree(name: str, content: bytes, like: str) -> tuple[GitObject, GitObject]:
    """A blob, and a tree that holds just that file."""
    blob = make_object(ObjectType.BLOB, content, like)
    entry = f"100644 {name}\0".encode() + bytes.fromhex(blob.sha)
    return blob, make_object(ObjectType.TREE, entry, like)


def parse_commit(sha: str, content: str) -> ParsedCommit:
    """Read a commit object's text; headers we do not need (signatures) are left out."""
    head, _, message = content.partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.split("\n"):
        name, _, value = line.partition(" ")
        fields.setdefault(name, []).append(value)
    author, committer = Ident(fields["author"][0]), Ident(fields["committer"][0])
    encoding = fields.get("encoding", [None])[0]
    return ParsedCommit(sha, fields["tree"][0], tuple(fields.get("parent", ())), author, committer, message, encoding)


def make_pack(objects: Iterable[GitObject]) -> bytes:
    """A version 2 pack of whole objects, each one once, for `git unpack-objects`."""
    unique = {item.sha: item for item in objects}
    parts = [b"PACK" + struct.pack(">II", 2, len(unique))]
    parts += [_entry_header(item.type, len(item.content)) + zlib.compress(item.content, 1) for item in unique.values()]
    body = b"".join(parts)
    trailer = _hash(next(iter(unique), ""))
    trailer.update(body)
    return body + trailer.digest()


def _entry_header(kind: ObjectType, size: int) -> bytes:
    """Type and size: 4 bits of size in the first byte, then 7 in each, the top bit says that more follow."""
    first, size = kind << 4 | size & 0x0F, size >> 4
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    header.append(first)
    return bytes(header)


def _hash(like: str) -> hashlib._Hash:
    """SHA-1, or SHA-256 in a repository whose object names are that long."""
    return hashlib.new("sha256" if len(like) == 64 else "sha1", usedforsecurity=False)
