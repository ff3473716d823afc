"""A page for each pull request that a browser can open: what it is, what it changes, how to merge it."""

from __future__ import annotations

import hashlib
import tempfile
from html import escape
from pathlib import Path
from typing import NamedTuple

from parallel_workers.adapters.local_forge.host import Host
from parallel_workers.adapters.local_forge.records import PullRecord
from parallel_workers.adapters.local_forge.refs import meta_ref
from parallel_workers.identity import slugify
from parallel_workers.locations import data_folder
from parallel_workers.pull_requests import PullRequestState

_COMMITS_SHOWN = 200

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1f2328 }
h1 small { color: #59636e; font-weight: normal }
.state { color: #fff; border-radius: 1em; padding: .2em .8em; font-weight: 600 }
.open { background: #1a7f37 } .merged { background: #8250df } .closed { background: #cf222e }
dl { display: grid; grid-template-columns: max-content auto; gap: .3rem 1rem } dt { color: #59636e } dd { margin: 0 }
pre { background: #f6f8fa; border-radius: 6px; padding: 1rem; overflow-x: auto; white-space: pre-wrap }
@media (prefers-color-scheme: dark) { body { background: #0d1117; color: #e6edf3 } pre { background: #161b22 } }
"""


class PullPage(NamedTuple):
    """All a page tells. `changes` is git's log with a diff stat per commit."""

    number: int
    record: PullRecord
    head: str
    changes: str
    place: str


class Pages:
    """The folder of one repository's pages: `$PARALLEL_WORKERS_HOME/pulls/<name>-<hash>/<number>.html`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        digest = hashlib.sha256(host.place.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        name = slugify(host.place.rstrip("/").rpartition("/")[2].removesuffix(".git")) or "repository"
        self._data = data_folder()
        self._folder = self._data.pulls / f"{name}-{digest}"
        self._changes: dict[tuple[str, str], str] = {}

    def path(self, number: int) -> Path:
        """Where the page of a pull request is."""
        return self._folder / f"{number}.html"

    def url(self, number: int) -> str:
        """Where a browser finds the page."""
        return self._data.page_url(self.path(number))

    def read_changes(self, base: str, head: str) -> str:
        """git's log of `base..head` with a diff stat per commit, oldest first; '' when there is nothing."""
        key = base, head
        if key not in self._changes:
            layout = "--format=%h %an, %ad%n    %s"
            options = ["--reverse", "--stat=100", "--date=iso", "--no-color", "--no-ext-diff", "--no-textconv"]
            # a signature would be checked by a program that the shared config names
            options.append("--no-show-signature")
            limit = f"--max-count={_COMMITS_SHOWN}"
            self._changes[key] = self._host.git("log", *options, limit, layout, f"{base}..{head}", "--")
        return self._changes[key]

    def write(self, number: int, record: PullRecord, head: str) -> None:
        """Write the page anew; readers see the old or the new one whole."""
        changes = self.read_changes(record.base_sha, head) if record.base_sha else ""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = render(PullPage(number, record, head, changes, self._host.place))
        with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".part", encoding="utf-8", delete=False) as part:
            part.write(text)
        if record.state is not PullRequestState.OPEN:
            self._changes.pop((record.base_sha, head), None)
        Path(part.name).replace(self.path(number))


def render(page: PullPage) -> str:
    """The page as self-contained HTML: no script, nothing loaded, all text escaped."""
    record = page.record
    facts = {
        "Branches": f"{record.head_branch} → {record.base_branch}",
        "Head": page.head,
        "Merged as": record.merge_sha,
        "Reason": record.reason,
        "Worker": record.worker,
        "Labels": ", ".join(record.labels),
        "Milestone": record.milestone,
        "Opened": record.created_at,
        "Repository": page.place,
    }
    rows = "\n".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts.items() if value)
    title = f"{_text(record.title)} <small>#{page.number}</small>"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>#{page.number} {_text(record.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{title}</h1>
<p><span class="state {record.state.value}">{record.state.value}</span></p>
<dl>
{rows}
</dl>
<h2>What it says</h2>
<pre>{_text(record.body) or "(nothing)"}</pre>
<h2>What it changes</h2>
<pre>{_text(page.changes) or "(no commits)"}</pre>
<h2>On the command line</h2>
<pre>{_text(_commands(page))}</pre>
</body>
</html>
"""


def _commands(page: PullPage) -> str:
    lines = [
        f"git log {meta_ref(page.number)}    # what happened to it",
    ]
    if page.record.base_sha:
        lines.append(f"git log -p {page.record.base_sha[:12]}..{page.head[:12]}    # what it changes")
    if page.record.state is PullRequestState.OPEN:
        lines.append(f"parallel-workers pr merge {page.number}    # or merge the branch with plain git")
    return "\n".join(lines)


def _text(value: str | None) -> str:
    """Escaped; what is no text shows as U+FFFD."""
    return escape((value or "").encode("utf-8", "replace").decode())
