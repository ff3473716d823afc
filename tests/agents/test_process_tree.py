"""Finding and ending processes: with /proc, and with psutil as on systems without it."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator

import pytest

from parallel_workers.adapters.agents import process_tree
from parallel_workers.adapters.agents.process_tree import (
    end_tagged,
    find_tagged,
    read_process,
    send_signal,
    still_alive,
)
from tests.agents.conftest import PYTHON, wait_until

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(params=["/proc", "psutil"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to look at processes must answer the same."""
    way: str = request.param
    if way == "/proc" and sys.platform != "linux":
        pytest.skip("there is no /proc here")
    monkeypatch.setattr(process_tree, "_HAS_PROC", way == "/proc")
    return way


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(tag, *argv)` starts a process with a tag; all are gone after the test."""
    started: list[subprocess.Popen[bytes]] = []
    tags: set[str] = set()

    def begin(tag: str, *argv: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PARALLEL_WORKERS_RUN": tag}
        tags.add(tag)
        started.append(subprocess.Popen(argv or ("sleep", "300"), env=environment))
        wait_until(lambda: any(each.pid == started[-1].pid for each in find_tagged(tag)))
        return started[-1]

    yield begin
    # Descendants first, while what they descend from still leads to them.
    for tag in tags:
        end_tagged(tag, grace_seconds=0.1)
    for process in started:
        process.kill()
        process.wait()


def test_a_tag_finds_its_own_and_their_descendants(start: Start) -> None:
    tag = uuid.uuid4().hex
    program = "import os\nif not os.fork(): os.execve('/bin/sleep', ['sleep', '300'], {})\nos.wait()"
    mine, other = start(tag, *PYTHON, program), start(f"{tag}-2")
    wait_until(lambda: len(find_tagged(tag)) == 2)
    assert mine.pid in {each.pid for each in find_tagged(tag)}
    assert other.pid not in {each.pid for each in find_tagged(tag)}


def test_what_carries_the_tag_is_ended_and_nothing_else(start: Start) -> None:
    tag = uuid.uuid4().hex
    polite, other = start(tag), start(f"{tag}-2")
    deaf = start(tag, "sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
    assert end_tagged(tag, grace_seconds=0.2) >= 2
    assert (polite.wait(5), deaf.wait(5), other.poll()) == (-15, -9, None)
    assert end_tagged(tag) == 0


def test_this_process_never_ends_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    tag = uuid.uuid4().hex
    monkeypatch.setattr(process_tree, "_carries", lambda pid, _: pid == os.getpid())
    child = subprocess.Popen(["sleep", "300"])
    try:
        assert os.getpid() not in {each.pid for each in find_tagged(tag)}
    finally:
        child.kill()
        child.wait()


def test_a_pid_that_changed_hands_is_not_signalled(start: Start) -> None:
    process = start(uuid.uuid4().hex)
    now = read_process(process.pid)
    assert now is not None
    earlier = now._replace(started=now.started - 1)
    assert not send_signal(earlier, 9)
    assert still_alive([earlier]) == ()
    assert [each.pid for each in still_alive([now])] == [process.pid]
    assert process.poll() is None
    assert send_signal(now, 15)
    assert process.wait(5) == -15
    assert not send_signal(now, 15)
