"""A batch's timeline as one Markdown text: what the picture shows, in words, and the picture itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from parallel_workers.durations import duration
from parallel_workers.markdown import code, escaped
from parallel_workers.timeline import Slots, Step, TimelineEntry, count_slots, critical_path, extent
from parallel_workers.timeline_svg import timeline_svg


def timeline_report(title: str, entries: Sequence[TimelineEntry]) -> str:
    """Wall time, slots and critical path in words, then the picture as a `data:` URL: it needs no server to show it."""
    heading = f"# {escaped(title)}"
    if extent(entries) is None:
        return f"{heading}\n\nNo task of this batch has run yet.\n"
    slots, path = count_slots(entries), critical_path(entries)
    picture = base64.b64encode(timeline_svg(title, entries).encode()).decode()
    return "\n\n".join(
        (
            heading,
            slot_facts(slots),
            path_facts(path),
            f"![Timeline of the tasks; the text around it says the same](data:image/svg+xml;base64,{picture})",
            f"## Critical path\n\n{_path_table(path)}\n",
        )
    )


def timeline_headline(title: str, entries: Sequence[TimelineEntry]) -> str:
    """The shortest there is to say, in Markdown."""
    slots = count_slots(entries)
    tasks = "1 task" if len(entries) == 1 else f"{len(entries)} tasks"
    return f"{escaped(title)}: {tasks} in {duration(slots.wall_seconds)}, speed-up {slots.speed_up:.1f}"


def slot_facts(slots: Slots) -> str:
    """How much work was done in how much time, and by how many at once."""
    wall, work = duration(slots.wall_seconds), duration(slots.work_seconds)
    said = f"**{wall}** from begin to end, with **{work}** of work in it: a speed-up of **{slots.speed_up:.1f}**."
    if slots.peak == 0:
        return said
    return f"{said} At most **{slots.peak}** were at work at once, {slots.mean:.1f} on average while any was."


def path_facts(path: Sequence[Step]) -> str:
    """Which chain of tasks decided the end, and where its time went."""
    names = " → ".join(code(step.task_id) for step in path)
    spent = {
        "at work": sum(step.worked for step in path),
        "in review": sum(step.reviewed for step in path),
        "waiting for a slot": sum(step.waited for step in path),
    }
    shares = ", ".join(f"{duration(seconds)} {where}" for where, seconds in spent.items() if seconds >= 0.05)
    return f"What decided the end: {names} ({shares})." if shares else f"What decided the end: {names}."


def _path_table(path: Sequence[Step]) -> str:
    rows = (
        f"| {code(step.task_id)} | {_or_dash(step.waited)} | {_or_dash(step.worked)} | {_or_dash(step.reviewed)} "
        f"| {step.end:%Y-%m-%d %H:%M:%S} |"
        for step in path
    )
    header = "| task | waited for a slot | at work | in review | ended (UTC) |\n|---|---|---|---|---|\n"
    return header + "\n".join(rows)


def _or_dash(seconds: float) -> str:
    return duration(seconds) if seconds >= 0.05 else "–"
