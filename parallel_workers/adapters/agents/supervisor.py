"""The process between us and an agent, through which nothing the agent starts can escape.

An agent's tools live in sessions of their own, daemons fork twice, and some clear their environment: neither
the process group nor a tag finds them all. So each agent gets a parent of its own that is a *child subreaper*
(prctl(2)): whatever the agent starts stays below it, and when it has no child left, nothing is left. When the
engine dies, the supervisor sees its control socket close and ends the agent.

Started once per engine as a small single-threaded Python that forks one supervisor per agent (`serve`): forking
the engine itself would be slow and, with its threads, unsafe. Imports only the standard library.

Control protocol: one JSON object a line. To us: the request, then `{"end": true}` or a closed socket. From us:
`{"started": pid}`, then the report; or `{"errno": n, "where": ...}` when the program could not be started.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any

from parallel_workers.adapters.agents.process_tree import Process, descendants, read_processes, send_signal

_PR_SET_CHILD_SUBREAPER = 36
_KILL_EVERY_SECONDS = 0.02
_GIVE_UP_SECONDS = 5.0
_FILES_PER_REQUEST = 4
# Python ignores these, and what is ignored stays ignored in a new program: `yes | head` would never end.
_RESTORED_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT)


def serve(requests: socket.socket) -> None:
    """Fork a supervisor for every request until the engine closes its end.

    A request is one byte with four descriptors: the control socket and the agent's stdin, stdout and stderr.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Supervisors are reaped by the kernel.
    gc.disable()
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(requests, 1, _FILES_PER_REQUEST)
        if not message:
            return
        for file in files:
            # An agent that held the control socket could speak for us.
            fcntl.fcntl(file, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        try:
            child = os.fork()
        except OSError as error:
            with socket.socket(fileno=os.dup(files[0])) as control:
                control.sendall(json.dumps({"errno": error.errno, "where": "fork"}).encode() + b"\n")
            child = -1
        if child == 0:
            requests.close()
            try:
                Supervisor(socket.socket(fileno=files[0]), files[1:]).run()
            finally:
                os._exit(0)
        for file in files:
            os.close(file)


class Supervisor:
    """Starts one agent, waits for it and everything it starts, ends what must be ended, and reports."""

    def __init__(self, control: socket.socket, files: list[int]) -> None:
        self._control = control
        self._files = files
        self._leader = 0
        self._exit_code: int | None = None
        self._ended: set[tuple[int, float]] = set()
        self._survivors = 0

    def run(self) -> None:
        """Serve one request from start to report."""
        request = json.loads(self._control.makefile("rb").readline() or b"{}")
        if not request:
            return
        wake = _wake_on_child_exit()
        try:
            self._start(request)
        except OSError as error:
            where = "worktree" if error.filename == request["worktree"] else "program"
            self._tell({"errno": error.errno, "where": where})
            return
        self._tell({"started": os.getpid()})
        self._watch(wake, request["linger_seconds"], request["grace_seconds"])
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._tell(
            {
                "exit_code": self._exit_code,
                "cpu_seconds": used.ru_utime + used.ru_stime,
                "max_rss_bytes": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
                "leftovers": len({pid for pid, _ in self._ended} - {self._leader}),
                "survivors": self._survivors,
            }
        )

    def _start(self, request: dict[str, Any]) -> None:
        _become_subreaper()
        os.chdir(request["worktree"])
        stdin, stdout, stderr = self._files
        self._leader = os.posix_spawn(
            request["program"],
            request["argv"],
            request["environment"],
            file_actions=[(os.POSIX_SPAWN_DUP2, file, to) for to, file in enumerate((stdin, stdout, stderr))],
            setsid=True,
            setsigmask=(),
            setsigdef=_RESTORED_SIGNALS,
        )
        # Ours must be closed, or the engine would never see the end of the agent's output.
        for file in self._files:
            os.close(file)
        os.chdir("/")

    def _watch(self, wake: int, linger_seconds: float, grace_seconds: float) -> None:
        """Until no child is left: after the leader's end the rest may linger a moment, then TERM, grace, KILL."""
        term_at = kill_at = float("inf")
        listening = [self._control.fileno(), wake]
        while self._reap():
            now = time.monotonic()
            if self._exit_code is not None and term_at == float("inf"):
                term_at = now + linger_seconds
            if now >= term_at and kill_at == float("inf"):
                self._signal_all(signal.SIGTERM)
                kill_at = now + grace_seconds
            if now >= kill_at:
                if now >= kill_at + _GIVE_UP_SECONDS:
                    self._survivors = len(self._below())
                    return
                self._signal_all(signal.SIGKILL)
            readable, _, _ = select.select(listening, [], [], self._pause(now, term_at, kill_at))
            if wake in readable:
                os.read(wake, 4096)
            if self._control.fileno() in readable:
                # An order to end, or the engine is gone: the same to us.
                listening = [wake]
                term_at = min(term_at, time.monotonic())

    @staticmethod
    def _pause(now: float, term_at: float, kill_at: float) -> float | None:
        """Seconds until there is something to do by itself; None: wait for a child or the engine."""
        if now >= kill_at:
            return _KILL_EVERY_SECONDS
        due = kill_at if now >= term_at else term_at
        return None if due == float("inf") else max(0.0, due - now)

    def _reap(self) -> bool:
        """Take in every child that has ended; whether any is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._leader:
                self._exit_code = os.waitstatus_to_exitcode(status)

    def _below(self) -> list[Process]:
        return [process for process in descendants(read_processes(), [os.getpid()]) if process.alive]

    def _signal_all(self, signum: int) -> None:
        for process in self._below():
            if send_signal(process, signum):
                self._ended.add((process.pid, process.started))
                if signum == signal.SIGTERM:
                    send_signal(process, signal.SIGCONT)  # A stopped process would never see the TERM.

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._control.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return  # The engine is gone; there is nobody to tell.


def _become_subreaper() -> None:
    """Elsewhere than on Linux there is no such thing; the engine then looks for the tag afterwards."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wake_on_child_exit() -> int:
    """A descriptor that becomes readable when a child ends."""
    wake, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake


def main() -> None:
    """Entry point of the launcher's process: the requests' socket is the descriptor given as argument."""
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        serve(requests)
