"""The picture of a batch: a row per task, its critical path, and how many were at work, as one SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from xml.sax.saxutils import escape

from parallel_workers.durations import duration
from parallel_workers.svg_text import fitted, label, text_width
from parallel_workers.timeline import (
    END_PHASES,
    Phase,
    TimelineEntry,
    count_slots,
    critical_path,
    extent,
    ready_at,
)
from parallel_workers.timeline_axis import Axis

WIDTH = 680
"""The width of a page's text in Prefect's UI: there the picture is shown at about its own size."""

_MARGIN = 14
_LEAST_LABELS, _MOST_LABELS, _RESULTS = 84, 190, 138
_LEGEND, _AXIS, _STRIP, _BOTTOM = 46, 34, 40, 14
_SMALL = 10
_NAMES = {
    Phase.WAITING: "waiting for a slot",
    Phase.NEEDS_INIT: "set-up",
    Phase.WORKING: "at work",
    Phase.PR_OPEN: "in review",
    Phase.MERGED: "merged",
    Phase.NO_CHANGE: "no change needed",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
}
_HEIGHTS = {Phase.WAITING: 0.16, Phase.NEEDS_INIT: 0.66, Phase.WORKING: 0.66, Phase.PR_OPEN: 0.34}
"""Of a row: kinds of span differ in height as well as in colour."""

# Colours after Okabe and Ito, told apart with any colour vision; darker or lighter as the page is.
_STYLE = """
text{font:11.5px ui-sans-serif,system-ui,sans-serif;fill:#24292f}.small{font-size:10px}.head{font-size:14px}
.head,.path{font-weight:600}.soft{fill:#57606a}.page{fill:#fff;stroke:#d0d7de}.grid{stroke:#d8dee4;fill:none}
.band{fill:#f3eefb}.link{stroke:#7a3fc0;stroke-width:1.6;fill:none}.mark{fill:#7a3fc0}.slots{fill:#0072b2;opacity:.8}
.WAITING{fill:#8c959f}.NEEDS_INIT{fill:#56b4e9}.WORKING{fill:#0072b2}.PR_OPEN{fill:#e69f00}.MERGED{fill:#00805c}
.NO_CHANGE{fill:none;stroke:#00805c;stroke-width:1.8}.FAILED{fill:none;stroke:#c84d00;stroke-width:2.4}
.CANCELLED{fill:none;stroke:#6e7781;stroke-width:2.4}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9da7b3}.page{fill:#1b1c1f;stroke:#3d444d}
.grid{stroke:#33383f}.band{fill:#2c2440}.link{stroke:#b78cf2}.mark{fill:#b78cf2}.WORKING,.slots{fill:#2f8fd0}
.NEEDS_INIT{fill:#8fd0f5}.MERGED{fill:#1fc596}.NO_CHANGE{stroke:#1fc596}.FAILED{stroke:#ff7b3a}.CANCELLED{stroke:#9da7b3}}
""".replace("\n", "")


class _Picture:
    """Where everything is, for one set of entries."""

    def __init__(self, entries: Sequence[TimelineEntry], begin: datetime, end: datetime) -> None:
        self.entries = entries
        self.row_height = _row_height(len(entries))
        longest = max(text_width(entry.task_id, _row_font(self.row_height)) for entry in entries)
        self.labels = min(max(longest * 1.06, _LEAST_LABELS), _MOST_LABELS)
        self.axis = Axis(begin, end, _MARGIN + self.labels + 12, WIDTH - _MARGIN - _RESULTS)
        self.legend = _Legend(entries)
        self.top = self.legend.bottom + 16
        self.bottom = self.top + self.row_height * len(entries)
        self.height = round(self.bottom + _AXIS + _STRIP + _BOTTOM)
        self.path = [step.task_id for step in critical_path(entries)]

    def middle(self, row: int) -> float:
        return self.top + (row + 0.5) * self.row_height

    def parts(self) -> Iterator[str]:
        yield from self.legend.parts
        yield from self._bands()
        yield from self._grid()
        yield from self._texts()
        yield from self._bars()
        yield from self._links()
        yield from self._ends()
        yield from self._slots()

    def _bands(self) -> Iterator[str]:
        for row, entry in enumerate(self.entries):
            if entry.task_id in self.path:
                y = self.top + row * self.row_height
                yield f'<rect class="band" x="7" y="{y:.1f}" width="{WIDTH - 14}" height="{self.row_height:.1f}"/>'

    def _grid(self) -> Iterator[str]:
        foot = self.bottom + 5
        for tick in self.axis.ticks():
            lines = f"M{tick.x:.1f} {self.top:.1f}V{foot:.1f}M{tick.x:.1f} {foot + 18:.1f}v{_STRIP + 11}"
            yield f'<path class="grid" d="{lines}"/>'
            yield label(tick.x, foot + 13, tick.text, "small soft", "middle")

    def _texts(self) -> Iterator[str]:
        size = _row_font(self.row_height)
        for row, entry in enumerate(self.entries):
            y = self.middle(row) + size * 0.36
            style = "row path" if entry.task_id in self.path else "row"
            yield label(_MARGIN, y, fitted(entry.task_id, self.labels, size), style)
            yield label(WIDTH - _MARGIN, y, fitted(_standing(entry), _RESULTS - 12, _SMALL), "small soft", "end")

    def _bars(self) -> Iterator[str]:
        """One path per phase: short, however many tasks there are."""
        drawn: dict[Phase, list[str]] = {}
        for row, entry in enumerate(self.entries):
            for phase, begin, end in self._stretches(entry):
                x, tall = self.axis.x(begin), self.row_height * _HEIGHTS[phase]
                wide = max(self.axis.x(end) - x, 1.2)
                bar = f"M{x:.1f} {self.middle(row) - tall / 2:.1f}h{wide:.1f}v{tall:.1f}h{-wide:.1f}z"
                drawn.setdefault(phase, []).append(bar)
        for phase in _HEIGHTS:
            if phase in drawn:
                yield f'<path class="{phase}" d="{"".join(drawn[phase])}"/>'

    def _stretches(self, entry: TimelineEntry) -> Iterator[tuple[Phase, datetime, datetime]]:
        """Its spans that take time; first the wait for a slot, which begins before there is anything to measure."""
        ready, begin = ready_at(entry, self.entries), entry.begin
        if ready is not None and begin is not None and ready < begin:
            yield Phase.WAITING, ready, begin
        for span in entry.spans:
            if span.state not in END_PHASES:
                yield Phase(span.state), span.begin, span.end

    def _links(self) -> Iterator[str]:
        """From the end of each task on the critical path to the begin of the next."""
        row_of = {entry.task_id: row for row, entry in enumerate(self.entries)}
        for before, after in pairwise(self.path):
            end, begin = self.entries[row_of[before]].end, self.entries[row_of[after]].begin
            if end is not None and begin is not None:
                x, target = self.axis.x(end), self.axis.x(begin)
                path = f"M{x:.1f} {self.middle(row_of[before]):.1f}V{self.middle(row_of[after]):.1f}H{target:.1f}"
                yield f'<path class="link" d="{path}"/>'

    def _ends(self) -> Iterator[str]:
        radius = min(4.2, self.row_height * 0.3)
        for row, entry in enumerate(self.entries):
            for span in entry.spans:
                if span.state in END_PHASES:
                    yield _end_mark(Phase(span.state), self.axis.x(span.end), self.middle(row), radius)

    def _slots(self) -> Iterator[str]:
        slots = count_slots(self.entries)
        foot = self.bottom + _AXIS + _STRIP
        yield f'<path class="grid" d="M{self.axis.left:.1f} {foot:.1f}H{self.axis.right:.1f}"/>'
        yield label(_MARGIN, foot - _STRIP / 2 + 4, "at work at once")
        if slots.peak == 0:
            return
        steps = (
            f"H{self.axis.x(count.at):.1f}V{foot - count.at_work / slots.peak * _STRIP:.1f}" for count in slots.counts
        )
        begin = f"M{self.axis.x(slots.counts[0].at):.1f} {foot:.1f}"
        yield f'<path class="slots" d="{begin}{"".join(steps)}V{foot:.1f}z"/>'
        facts = (f"peak {slots.peak}", f"mean {slots.mean:.1f} when busy", f"speed-up {slots.speed_up:.1f}×")
        for line, fact in enumerate(facts):
            yield label(self.axis.right + 14, foot - _STRIP + 9 + 13 * line, fact, "small soft")


def timeline_svg(title: str, entries: Sequence[TimelineEntry]) -> str:
    """The picture as an SVG document that stands by itself; the same entries give the same text.

    Rows are lower the more tasks there are. It follows the viewer's light or dark theme.

    Raises:
        ValueError: no entry has a span: there is nothing to draw.
    """
    whole = extent(entries)
    if whole is None:
        raise ValueError("no task has run")
    picture = _Picture(entries, *whole)
    parts = [*_head(title, whole), *picture.parts()]
    style = f"{_STYLE}.row{{font-size:{_row_font(picture.row_height):g}px}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {picture.height}" width="{WIDTH}" '
        f'height="{picture.height}" role="img"><title>{escape(fitted(title, 2000, 10))}</title><style>{style}</style>'
        f'<rect class="page" x=".5" y=".5" width="{WIDTH - 1}" height="{picture.height - 1}" rx="8"/>'
        f"{''.join(parts)}</svg>"
    )


def _row_height(tasks: int) -> float:
    return 22.0 if tasks <= 40 else 17.0 if tasks <= 100 else 13.0


def _row_font(row_height: float) -> float:
    return min(11.5, row_height - 3)


def _head(title: str, whole: tuple[datetime, datetime]) -> Iterator[str]:
    begin, end = (moment.astimezone(UTC) for moment in whole)
    until = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    yield label(_MARGIN, 25, fitted(title, 400, 14), "head")
    yield label(WIDTH - _MARGIN, 25, f"{begin:%Y-%m-%d %H:%M} – {until} UTC", "soft", "end")


class _Legend:
    """What the colours of these entries mean, on as many lines as it takes."""

    def __init__(self, entries: Sequence[TimelineEntry]) -> None:
        used = {Phase(span.state) for entry in entries for span in entry.spans} | {Phase.WAITING}
        items: list[tuple[str, Phase | None]] = [(_NAMES[phase], phase) for phase in Phase if phase in used]
        self.parts: list[str] = []
        x, y = float(_MARGIN), float(_LEGEND)
        for name, phase in [*items, ("critical path", None)]:
            width = 17 + text_width(name, _SMALL)
            if x + width > WIDTH - _MARGIN:
                x, y = float(_MARGIN), y + 16
            self.parts += [_sample(phase, x, y - 3.5), label(x + 17, y, name, "small soft")]
            x += width + 8
        self.bottom = y


def _sample(phase: Phase | None, x: float, y: float) -> str:
    if phase is None:
        return f'<path class="link" d="M{x:.1f} {y:.1f}h12"/>'
    if phase in END_PHASES:
        return _end_mark(phase, x + 6, y, 4.2)
    tall = 14 * _HEIGHTS[phase]
    return f'<rect class="{phase}" x="{x:.1f}" y="{y - tall / 2:.1f}" width="12" height="{tall:.1f}"/>'


def _end_mark(phase: Phase, x: float, y: float, radius: float) -> str:
    """A disc for merged, a ring for no change, a cross for failed, a bar for cancelled."""
    if phase in {Phase.MERGED, Phase.NO_CHANGE}:
        return f'<circle class="{phase}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
    wide = 2 * radius
    path = f"M{x - radius:.1f} {y - radius:.1f}l{wide:.1f} {wide:.1f}m0 {-wide:.1f}l{-wide:.1f} {wide:.1f}"
    if phase is Phase.CANCELLED:
        path = f"M{x - radius:.1f} {y:.1f}h{wide:.1f}"
    return f'<path class="{phase}" d="{path}"/>'


def _standing(entry: TimelineEntry) -> str:
    """Its result, and how long it was in hand."""
    result = entry.result.replace("_", " ")
    if entry.begin is None or entry.end is None:
        return result
    return f"{result} · {duration((entry.end - entry.begin).total_seconds())}"
