"""deployments/compose.yaml as plain processes: two of everything that may be lost, on ports and in folders of its own.

PostgreSQL, Redis, two API servers behind nginx, background services apart, two Prefect workers that share nothing but
the server and the results, and a watcher.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from deployments.hosting import process_environment
from deployments.server_address import ServerAddress
from flows.flow_names import WORK_POOL
from parallel_workers.locations import DataFolder
from tests.e2e.product import wait_until

ROOT = Path(__file__).resolve().parents[2]
SILENCE_SECONDS = 45
WORKER_LIMIT = 3
"""How many runs one Prefect worker carries at once: neither can take all there are."""

_START_SECONDS = 240.0
_STOP_SECONDS = 40.0
_REGISTER = f"""
import asyncio
from datetime import timedelta
from prefect.client.orchestration import get_client
from deployments.automations import ZOMBIE_RUN, zombie_run
from deployments.set_up import set_up

async def register():
    await set_up()
    async with get_client() as client:
        for shipped in await client.read_automations_by_name(ZOMBIE_RUN):
            await client.delete_automation(shipped.id)
        await client.create_automation(zombie_run(silence=timedelta(seconds={SILENCE_SECONDS})))

asyncio.run(register())
"""


def find_program(name: str) -> str | None:
    """Where a program is; PostgreSQL's are not in Debian's PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda each: float(each.name), reverse=True)
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", *(str(each / "bin") for each in versions)])
    return shutil.which(name, path=places)


def missing_programs() -> list[str]:
    """What the topology needs and this machine does not have."""
    return [name for name in ("initdb", "postgres", "createdb", "redis-server", "nginx") if find_program(name) is None]


class Topology:
    """Everything that runs. `stop` ends it all, removes its folder and answers what would not end."""

    def __init__(self) -> None:
        # not pytest's tmp_path: PostgreSQL refuses to be root, and others may not look into that
        self.folder = Path(tempfile.mkdtemp(prefix="parallel-workers-topology-"))
        self.folder.chmod(0o755)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = dict(zip(("postgres", "redis", "a", "b", "front"), _free_ports(5), strict=True))
        self.api_url = f"http://127.0.0.1:{self._ports['front']}/api"

    def start(self) -> None:
        """Bring everything up, in the order that compose.yaml has."""
        self._start_postgres()
        self._begin("redis", *self._redis_command())
        self._run("schema", sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes")
        self._begin_server("server-a", self._ports["a"], first=True)
        self._begin_server("server-b", self._ports["b"], first=False)
        services = (sys.executable, "-m", "prefect", "server", "services", "start")
        self._begin("services", *services, environment=self._server_environment("services"))
        self._begin("nginx", *self._nginx_command())
        for port in (self._ports["a"], self._ports["b"], self._ports["front"]):
            wait_until(lambda port=port: _is_ready(f"http://127.0.0.1:{port}/api"), f"API on {port}", _START_SECONDS)  # type: ignore[misc]
        self._run("set-up", sys.executable, "-c", _REGISTER, environment=self.machine_environment("set-up"))
        for name in ("worker-1", "worker-2"):
            self._begin(name, *_prefect_worker(name), environment=self.machine_environment(name))
        watcher = (sys.executable, "-P", "-m", "parallel_workers.cli.main", "loop", "--poll-interval", "1")
        self._begin("watcher", *watcher, environment=self.machine_environment("watcher"))

    def machine_environment(self, name: str) -> dict[str, str]:
        """What the processes of one machine have: a home and a data folder of its own, as `up` would set them."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        data = DataFolder(home / "data")
        given = {
            **_bare_environment(),
            "HOME": str(home),
            "PARALLEL_WORKERS_HOME": str(data.root),
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_LOCAL_STORAGE_PATH": str(self.folder / "results"),
        }
        address = ServerAddress(self.api_url, self.api_url.removesuffix("/api"))
        return process_environment(given, address, data) | {"PREFECT_WORKER_QUERY_SECONDS": "1"}

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One request through the address in front; tried again where the server behind it has just died."""
        for _ in range(5):
            try:
                return _ask(method, self.api_url + path, body)
            except (urllib.error.HTTPError, OSError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code < 502:
                    raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error
                failure = error
                time.sleep(1.0)
        raise AssertionError(f"{method} {path}: {failure}")

    def kill_server(self, name: str) -> None:
        """kill -9."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def processes_of(self, name: str) -> list[psutil.Process]:
        """Every living process of one machine, whatever started it."""
        return _processes_below(self.folder / name)

    def kill_machine(self, name: str) -> int:
        """All processes of a machine end at once, as when its power fails; how many those were."""
        killed = kill_below(self.folder / name)
        self.processes[name].wait()
        return killed

    def log(self, name: str) -> str:
        """What a process has said."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> list[str]:
        """End everything, what needs others before those; the command lines of what was left and had to be killed."""
        for names in (("watcher", "worker-1", "worker-2"), ("nginx", "services", "server-a", "server-b"), ("redis",)):
            self._end([self.processes[name] for name in names if name in self.processes], signal.SIGTERM)
        self._end([self.processes[name] for name in ("postgres",) if name in self.processes], signal.SIGINT)
        left = _processes_below(self.folder)
        said = [" ".join(_command(process)) for process in left]
        for process in left:
            _send(process, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        return said

    def _end(self, processes: Sequence[subprocess.Popen[bytes]], how: signal.Signals) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(how)
        deadline = time.monotonic() + _STOP_SECONDS
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue  # `stop` finds it

    def _begin(
        self, name: str, *command: str, environment: dict[str, str] | None = None, user: str | None = None
    ) -> None:
        account: dict[str, Any] = {"user": user, "group": "nogroup", "extra_groups": []} if user else {}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env=_bare_environment() if environment is None else environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **account,
            )

    def _run(
        self, name: str, *command: str, environment: dict[str, str] | None = None, user: str | None = None
    ) -> None:
        given = self._server_environment(name) if environment is None else environment
        self._begin(name, *command, environment=given, user=user)
        code = self.processes.pop(name).wait(_START_SECONDS)
        assert code == 0, f"{name} ended with {code}:\n{self.log(name)}"

    def _start_postgres(self) -> None:
        user = "nobody" if os.geteuid() == 0 else None
        place = self.folder / "postgres"
        place.mkdir()
        if user:
            shutil.chown(place, user, "nogroup")
        port, data = str(self._ports["postgres"]), str(place / "data")
        made = ("-D", data, "-U", "prefect", "--auth=trust", "--encoding=UTF8", "--no-sync")
        self._run("initdb", _program("initdb"), *made, environment=_bare_environment(), user=user)
        where = ("-D", data, "-h", "127.0.0.1", "-p", port, "-k", str(place))
        self._begin("postgres", _program("postgres"), *where, "-c", "fsync=off", "-c", "max_connections=200", user=user)
        database = (_program("createdb"), "-h", "127.0.0.1", "-p", port, "-U", "prefect", "prefect")
        wait_until(lambda: subprocess.run(database, capture_output=True, check=False).returncode == 0, "PostgreSQL", 30)

    def _redis_command(self) -> tuple[str, ...]:
        where = ("--bind", "127.0.0.1", "--port", str(self._ports["redis"]), "--dir", str(self.folder))
        return (_program("redis-server"), *where, "--appendonly", "no", "--save", "")

    def _begin_server(self, name: str, port: int, *, first: bool) -> None:
        # two that register Prefect's blocks at once get into each other's way
        blocks = {} if first else {"PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false"}
        command = ("prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-services")
        environment = self._server_environment(name) | blocks
        self._begin(name, sys.executable, "-m", *command, environment=environment)

    def _server_environment(self, name: str) -> dict[str, str]:
        postgres, redis = self._ports["postgres"], f"redis://127.0.0.1:{self._ports['redis']}"
        return {
            **_bare_environment(),
            "HOME": str(self.folder),
            "PREFECT_HOME": str(self.folder / name),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://prefect@127.0.0.1:{postgres}/prefect",
            "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
            "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            "PREFECT_SERVER_WORKER_CHANNEL_CLEANUP_QUEUE_STORAGE": "prefect_redis.cleanup_queue",
            "PREFECT_SERVER_DOCKET_URL": f"{redis}/1",
            "PREFECT_REDIS_MESSAGING_URL": f"{redis}/0",
            "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": f"{redis}/0",
            "PREFECT_REDIS_MESSAGING_PUBLISHER_PUBLISH_EVERY": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }

    def _nginx_command(self) -> tuple[str, ...]:
        """The shipped configuration, with this topology's addresses and folder."""
        text = (ROOT / "deployments" / "nginx" / "nginx.conf").read_text(encoding="utf-8")
        ports = self._ports
        for shipped, ours in (
            ("server-a:4200", f"127.0.0.1:{ports['a']}"),
            ("server-b:4200", f"127.0.0.1:{ports['b']}"),
            ("listen 8080", f"listen 127.0.0.1:{ports['front']}"),
            ("/tmp/", f"{self.folder}/nginx-"),  # noqa: S108
            ("/dev/stderr", "stderr"),
        ):
            assert shipped in text, f"nginx.conf has no {shipped} any more"
            text = text.replace(shipped, ours)
        file = self.folder / "nginx.conf"
        file.write_text(text, encoding="utf-8")
        own = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
        return (_program("nginx"), "-p", str(self.folder), "-e", "stderr", "-c", str(file), "-g", own)


def kill_below(folder: Path) -> int:
    """All processes of a home end at once: they are stopped before the first is killed. How many those were."""
    frozen: dict[int, psutil.Process] = {}
    while fresh := [each for each in _processes_below(folder) if each.pid not in frozen]:
        for process in fresh:
            _send(process, signal.SIGSTOP)
            frozen[process.pid] = process
    for process in frozen.values():
        _send(process, signal.SIGKILL)
    wait_until(lambda: not _processes_below(folder), f"all in {folder.name} is dead")
    return len(frozen)


def _prefect_worker(name: str) -> tuple[str, ...]:
    pool = ("--pool", WORK_POOL, "--type", "process", "--name", name, "--limit", str(WORKER_LIMIT))
    return (sys.executable, "-P", "-m", "prefect", "worker", "start", *pool)


def _bare_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}


def _program(name: str) -> str:
    found = find_program(name)
    assert found is not None, f"no {name} on this machine"
    return found


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports


def _ask(method: str, url: str, body: object) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        said = answer.read()
    return json.loads(said) if said else None


def _is_ready(api_url: str) -> bool:
    try:
        _ask("GET", f"{api_url}/ready", None)
    except OSError:
        return False
    return True


def _processes_below(folder: Path) -> list[psutil.Process]:
    """Living processes with the folder, or something in it, in their environment, arguments or as where they are."""
    found = []
    for process in psutil.process_iter():
        try:
            known = [*process.environ().values(), *process.cmdline(), process.cwd()]
            ended = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if not ended and any(_is_below(text, str(folder)) for text in known):
            found.append(process)
    return found


def _is_below(text: str, folder: str) -> bool:
    return text == folder or f"{folder}/" in text or text.endswith(folder)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return [str(process.pid)]


def _send(process: psutil.Process, what: signal.Signals) -> None:
    try:
        process.send_signal(what)
    except psutil.NoSuchProcess:
        return
