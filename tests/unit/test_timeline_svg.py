"""The picture of a batch: well-formed, deterministic, nothing outside, nothing unescaped."""

from __future__ import annotations

import base64
import random
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.svg_text import fitted, text_width
from parallel_workers.timeline import TimelineEntry, TimelineSpan
from parallel_workers.timeline_axis import Axis
from parallel_workers.timeline_report import timeline_report
from parallel_workers.timeline_svg import WIDTH, timeline_svg

BEGIN = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def batch(tasks: int, result: str = "merged") -> tuple[TimelineEntry, ...]:
    """Tasks one after the other with random times, the same at every call."""
    times, entries = random.Random(tasks), []  # noqa: S311 - no secret
    for index in range(tasks):
        moments = [BEGIN + timedelta(seconds=index * 20)]
        for long in (2, 60, 90):
            moments.append(moments[-1] + timedelta(seconds=times.uniform(0, long)))
        states = ("NEEDS_INIT", "WORKING", "PR_OPEN")
        spans = [TimelineSpan(state, moments[at], moments[at + 1]) for at, state in enumerate(states)]
        spans.append(TimelineSpan("MERGED" if index % 5 else "FAILED", moments[-1], moments[-1]))
        needs = (f"TASK-{index - 4:03}",) if index > 4 else ()
        entries.append(TimelineEntry(f"TASK-{index:03}", result, needs, tuple(spans)))
    return tuple(entries)


def texts(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter(f"{SVG}text"))  # noqa: S314 - our own text


@pytest.mark.parametrize("tasks", [1, 12, 80, 200])
def test_it_is_well_formed_the_same_each_time_and_has_a_row_per_task(tasks: int) -> None:
    svg = timeline_svg("Batch", batch(tasks))
    assert svg == timeline_svg("Batch", batch(tasks))
    shown = [text.text for text in texts(svg)]
    assert [text for text in shown if str(text).startswith("TASK-")] == [f"TASK-{row:03}" for row in range(tasks)]
    assert float(ElementTree.fromstring(svg).get("height", "0")) < 240 + 22 * tasks  # noqa: S314 - our own text


def test_two_hundred_tasks_stay_small() -> None:
    report = timeline_report("Batch", batch(200))
    assert len(report) < 120_000
    assert float(ElementTree.fromstring(timeline_svg("Batch", batch(200))).get("height", "0")) < 3000  # noqa: S314


def test_no_text_leaves_the_picture() -> None:
    svg = timeline_svg("a very long title " * 20, batch(9, result="a long result 結果 " * 20))
    for text in texts(svg):
        shown, x = str(text.text), float(text.get("x", "0"))
        size = 14 if text.get("class") == "head" else 11.5
        size = 10 if "small" in str(text.get("class")) else size
        width = text_width(shown, size)
        left = {"end": x - width, "middle": x - width / 2}.get(str(text.get("anchor") or text.get("text-anchor")), x)
        assert left >= 0, shown
        assert left + width <= WIDTH, shown


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_whatever_stands_in_title_and_result_the_picture_is_well_formed_and_fits(text: str) -> None:
    svg = timeline_svg(text, batch(2, result=text))
    assert "<script" not in timeline_svg(f"<script>{text}", batch(2, result=f"<script>{text}"))
    ElementTree.fromstring(svg)  # noqa: S314 - our own text
    assert text_width(fitted(text, 80, 10), 10) <= 80


def test_the_critical_path_is_marked_and_the_slots_are_told() -> None:
    svg = timeline_svg("Batch", batch(6))
    bold = [text.text for text in texts(svg) if text.get("class") == "row path"]
    assert bold == ["TASK-001", "TASK-005"]
    assert svg.count('class="band"') == 2
    assert re.search(r">peak \d<", svg)


def test_nothing_to_draw_is_said_in_words() -> None:
    entries = (TimelineEntry("a", "skipped", (), ()),)
    with pytest.raises(ValueError, match="no task has run"):
        timeline_svg("Batch", entries)
    assert "No task of this batch has run yet" in timeline_report("Batch", entries)


def test_the_report_tells_in_words_what_the_picture_shows() -> None:
    report = timeline_report("Batch *1*", batch(6))
    assert report.startswith("# Batch \\*1\\*\n")
    assert "`TASK-001` → `TASK-005`" in report
    assert "at work at once" in report
    picture = re.search(r"\(data:image/svg\+xml;base64,([^)]+)\)", report)
    assert picture is not None
    assert base64.b64decode(picture[1]).decode() == timeline_svg("Batch *1*", batch(6))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, ["0", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        (70, ["0", "10 s", "20 s", "30 s", "40 s", "50 s", "1 min", "1:10 min"]),
        (3600, ["0", "10 min", "20 min", "30 min", "40 min", "50 min", "1 h"]),
        (14 * 86400, ["0", "2 d", "4 d", "6 d", "8 d", "10 d", "12 d", "14 d"]),
    ],
)
def test_ticks_stand_at_round_times(seconds: float, shown: list[str]) -> None:
    assert [tick.text for tick in Axis(BEGIN, BEGIN + timedelta(seconds=seconds), 0, 400).ticks()] == shown


@given(st.floats(0, 3e9))
def test_ticks_are_few_and_inside(seconds: float) -> None:
    ticks = list(Axis(BEGIN - timedelta(days=40000), BEGIN + timedelta(seconds=seconds), 100, 500).ticks())
    assert 1 <= len(ticks) <= 8
    assert all(100 <= tick.x <= 500.001 for tick in ticks)
