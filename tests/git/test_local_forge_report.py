"""A pull request can be read: in a browser, and with plain git."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from parallel_workers.adapters.local_forge.forge import open_local_forge
from parallel_workers.pull_requests import PullRequest, PullRequestDraft
from parallel_workers.spec import MergeMethod

Git = Callable[..., str]
_EVIL = "<script>alert(1)</script> & \"x\" 'y' <img src=x onerror=alert(1)>"


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(pull: PullRequest) -> _Text:
    parts = urlsplit(pull.url)
    assert parts.scheme == "file"
    page = _Text()
    page.feed(Path(unquote(parts.path)).read_text(encoding="utf-8"))
    return page


def _open(repository: Path, git: Git, body: str) -> PullRequestDraft:
    git(repository, "switch", "--quiet", "--create", "feature/a")
    (repository / "nëw.txt").write_text("new\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", f"feat: a {_EVIL}")
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "switch", "--quiet", "main")
    return PullRequestDraft("worker-a", f"Title {_EVIL}", body, "feature/a", head, "main", (_EVIL,))


def test_the_page_tells_it_all_and_runs_nothing(make_repository: Callable[..., Path], git: Git) -> None:
    forge = open_local_forge(repository := make_repository("a <b>"))
    draft = _open(repository, git, f"Body {_EVIL}\n")
    pull = forge.ensure_pull_request(draft)
    page = _read(pull)
    assert not page.tags & {"script", "img"}
    for told in (draft.title, draft.body.strip(), f"feat: a {_EVIL}", "nëw.txt", "feature/a → main", _EVIL, "open"):
        assert told in page.text
    assert f"parallel-workers pr merge {pull.number}" in page.text
    closed = forge.close_pull_request(pull.number, "because")
    assert closed.url == pull.url
    assert "because" in _read(pull).text
    assert "pr merge" not in _read(pull).text


def test_the_page_of_a_merged_one_still_shows_its_changes(make_repository: Callable[..., Path], git: Git) -> None:
    forge = open_local_forge(repository := make_repository())
    pull = forge.ensure_pull_request(_open(repository, git, "Body"))
    merged = forge.merge_pull_request(pull.number, MergeMethod.SQUASH).pull_request
    Path(unquote(urlsplit(pull.url).path)).unlink()
    again = open_local_forge(repository).fetch_pull_request(pull.number)
    assert "nëw.txt" in _read(again).text
    assert str(merged.merge_sha) in _read(again).text


def test_plain_git_shows_history_head_and_report(make_repository: Callable[..., Path], git: Git) -> None:
    forge = open_local_forge(repository := make_repository())
    draft = _open(repository, git, "# Report\n\nAll gates hold.\n")
    pull = forge.ensure_pull_request(draft)
    forge.merge_pull_request(pull.number, MergeMethod.MERGE)
    ref = f"refs/parallel-workers/pulls/{pull.number}"
    states = git(repository, "log", "--format=%(trailers:key=Pull-Request-State,valueonly)", f"{ref}/meta").split()
    assert states == ["merged", "open"]
    assert git(repository, "show", f"{ref}/meta:report.md") == draft.body.strip()
    assert git(repository, "rev-parse", f"{ref}/head") == draft.head_sha
    assert git(repository, "log", "-1", "--format=%an <%ae>", f"{ref}/meta") == "Test Author <author@example.invalid>"
