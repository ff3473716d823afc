"""Noticing that work is in its base, however it got there: the local forge and every removal ask here.

Each for any number of heads in a fixed number of processes: ancestry (a merge commit, a fast-forward), or a
simulated merge that changes nothing. Patch ids only say at which commit of the base to try that merge, for when
the base went on to change the same lines (a squash, a rebase, cherry-picks): they know nothing of where in a file
a line stands, of modes, or of what a merge commit changed by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from parallel_workers.adapters.git.merge_trees import ObjectStore, merge_trees

# a pull request that waited for longer than this many commits of its base stays open until a person merges it
_BASE_COMMITS_COMPARED = 2000


class Landing(NamedTuple):
    """The commit of the base with which the work was all there, and how that was seen."""

    sha: str
    how: str


class Ahead(NamedTuple):
    """Commits that some heads have and the base has not, each with its parents."""

    parents: Mapping[str, tuple[str, ...]]

    def of(self, head: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Commits of one head (newest first), and the commits of the base they stand on."""
        found: dict[str, None] = {}
        stood_on: dict[str, None] = {}
        waiting = [head]
        while waiting:
            sha = waiting.pop()
            if sha not in self.parents:
                stood_on[sha] = None
            elif sha not in found:
                found[sha] = None
                waiting.extend(self.parents[sha])
        return tuple(found), tuple(stood_on)


def find_ahead(store: ObjectStore, base: str, heads: Iterable[str]) -> Ahead:
    """What `heads` add to `base`; one process for all. A head that is not in the answer is in the base."""
    asked = "".join(f"{head}\n" for head in dict.fromkeys(heads)) + f"^{base}\n"
    listed = store.git("rev-list", "--parents", "--stdin", stdin=asked)
    rows = (line.split() for line in listed.split("\n") if line)
    return Ahead({sha: tuple(parents) for sha, *parents in rows})


def find_merge(store: ObjectStore, base: str, head: str) -> Landing:
    """How `head`, an ancestor of `base`, came into it; two processes."""
    after = set(store.git("rev-list", "--ancestry-path", f"{head}..{base}").split())
    chain = store.git("rev-list", "--first-parent", "--parents", f"{head}..{base}").split("\n")
    with_head = [row for row in (line.split() for line in chain if line) if row[0] in after]
    if not with_head or with_head[-1][1] == head:
        return Landing(head, "fast-forward")
    return Landing(with_head[-1][0], "merge commit")


def find_content(
    store: ObjectStore, base: str, heads: Sequence[str], ahead: Ahead, since: Iterable[str]
) -> dict[str, Landing]:
    """Which of `heads`, none of them an ancestor of `base`, are in it by content.

    `since` are commits at which the base stood when the heads were not in it. At most nine processes.
    """
    likely = _find_patches(store, base, heads, ahead, since)
    landings = [(head, likely[head]) for head in heads if head in likely]
    landings += [(head, Landing(base, "same content")) for head in heads]
    landed: dict[str, Landing] = {}
    for head, landing in _confirm(store, landings):
        landed.setdefault(head, landing)
    return landed


def is_content_in_base(store: ObjectStore, base: str, head: str, since: str) -> bool:
    """Whether all that `head` changes is in `base`; `since` is a base without it. The cheapest proof comes first."""
    ahead = find_ahead(store, base, [head])
    if head not in ahead.parents:
        return True
    if _confirm(store, [(head, Landing(base, "same content"))]):
        return True
    likely = _find_patches(store, base, [head], ahead, [since])
    return bool(likely and _confirm(store, list(likely.items())))


def _confirm(store: ObjectStore, landings: Sequence[tuple[str, Landing]]) -> list[tuple[str, Landing]]:
    """Those of `landings` whose commit of the base is not changed by merging the head into it; one process."""
    pairs = [pair for head, landing in landings for pair in ((landing.sha, landing.sha), (landing.sha, head))]
    results = merge_trees(store, pairs)
    return [
        landing
        for landing, unchanged, merged in zip(landings, results[0::2], results[1::2], strict=True)
        if not merged.conflicts and merged.tree == unchanged.tree
    ]


def _find_patches(
    store: ObjectStore, base: str, heads: Sequence[str], ahead: Ahead, since: Iterable[str]
) -> dict[str, Landing]:
    """Where in the base the heads seem to have come in: the last commit that has a patch of theirs."""
    commits = {head: ahead.of(head)[0] for head in heads}
    new_in_base = _base_commits(store, base, tuple(dict.fromkeys(since)))
    if not new_in_base:
        return {}
    own = (sha for shas in commits.values() for sha in shas)
    patches = _patch_ids(store, dict.fromkeys([*new_in_base, *own]))
    in_base = {patches[sha]: sha for sha in reversed(new_in_base) if sha in patches}
    whole = _squash_patches(store, base, [head for head in heads if len(commits[head]) != 1], ahead)
    landed = {}
    for head in heads:
        # a merge commit may have changed what no patch of a commit shows
        linear = all(len(ahead.parents[sha]) == 1 for sha in commits[head])
        own_patches = {patches[sha] for sha in commits[head] if sha in patches} if linear else set()
        if whole.get(head) in in_base:
            landed[head] = Landing(in_base[whole[head]], "squash")
        elif own_patches and own_patches <= in_base.keys():
            last = min((in_base[patch] for patch in own_patches), key=new_in_base.index)
            landed[head] = Landing(last, "rebase" if len(own_patches) > 1 else "same patch")
    return landed


def _base_commits(store: ObjectStore, base: str, since: tuple[str, ...]) -> list[str]:
    """Commits that came into the base since the oldest of `since`, newest first."""
    # after a forced push to the base some may be gone
    known = store.git("cat-file", "--batch-check=%(objectname)", stdin="".join(f"{sha}\n" for sha in since)).split("\n")
    starts = [sha for sha in known if sha and " " not in sha]
    start = store.git("merge-base", "--octopus", *starts) if len(starts) > 1 else "".join(starts)
    if not start:
        return []
    limit = f"--max-count={_BASE_COMMITS_COMPARED}"
    return store.git("rev-list", "--no-merges", limit, f"{start}..{base}").split()


def _squash_patches(store: ObjectStore, base: str, heads: Sequence[str], ahead: Ahead) -> dict[str, str]:
    """Patch ids of all that each head changes, as one patch."""
    asked: dict[str, None] = {}
    for head in heads:
        stood_on = ahead.of(head)[1]
        if stood_on:
            # a head into which the base was merged stands on several commits of it
            start = stood_on[0] if len(stood_on) == 1 else store.git("merge-base", base, head)
            asked[f"{head} {start}"] = None
    return _patch_ids(store, asked) if asked else {}


def _patch_ids(store: ObjectStore, lines: Iterable[str]) -> dict[str, str]:
    """Patch id by commit, for lines `<commit>` or `<commit> <commit to compare with>`; two processes."""
    asked = "".join(f"{line}\n" for line in lines)
    # options of its own: the user's diff settings would change the patches, not on both sides alike
    options = ("-p", "--root", "--no-renames", "--no-ext-diff", "--no-textconv", "--full-index", "--no-color")
    patches = store.git("diff-tree", "--stdin", *options, stdin=asked)
    rows = (line.split() for line in store.git("patch-id", "--verbatim", stdin=patches + "\n").split("\n"))
    return {row[1]: row[0] for row in rows if row}
