"""Lists in pages, with Link headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

from tests.fake_github.calls import Call

PAGING = ("per_page", "page")
_T = TypeVar("_T")


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) > 0 else default


def page_of(call: Call, items: Sequence[_T]) -> tuple[Sequence[_T], dict[str, str]]:
    """The page that was asked for (30 items unless asked, 100 at most) and its headers."""
    size = min(_number(call.query.get("per_page"), 30), 100)
    page = _number(call.query.get("page"), 1)
    last = max(1, -(-len(items) // size))
    links = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    shown = [name for name in links if (name in {"prev", "first"}) == (page > 1) or page < last]
    if page <= 1:
        shown = [name for name in shown if name not in {"prev", "first"}]
    if page >= last:
        shown = [name for name in shown if name not in {"next", "last"}]
    texts = [f'<{_page_url(call, links[name])}>; rel="{name}"' for name in shown]
    return items[(page - 1) * size : page * size], {"Link": ", ".join(texts)} if texts else {}


def _page_url(call: Call, page: int) -> str:
    path = call.link_path
    if "repo" in call.path:
        prefix = f"/repos/{call.path['owner']}/{call.path['repo']}"
        path = path.replace(prefix, f"/repositories/{call.repository.id}", 1)
    return f"{call.server.api_url}{path}?{urlencode(call.query | {'page': page})}"
