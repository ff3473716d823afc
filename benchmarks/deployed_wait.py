"""A deployed batch that a person merges: what waits meanwhile, and how soon a worker notices its merge."""

from __future__ import annotations

import json
import random
import time
import urllib.request
import uuid
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple

import psutil

from benchmarks.batch_files import no_op_tasks, write_batch
from benchmarks.figures import Figure, Measurement, at_most
from benchmarks.options import Options
from benchmarks.process_memory import MB, read_memory
from benchmarks.product import Product, fresh_product
from benchmarks.repositories import Repository, make_repository

_TASKS = 10
_POLL_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_TIMEOUT_SECONDS = 600.0


class _Noticed(NamedTuple):
    """Seconds from a merge to the worker's MERGED, and those of them from the run's last start to its first state."""

    seconds: float
    process_start: float


def measure(options: Options) -> Measurement:
    """Half of the merges are noticed by the watcher's interval, half by an event; in an order that is no order."""
    with fresh_product() as product:
        api = _Api(json.loads(product.call("up", "--poll-interval", str(_POLL_SECONDS), "--json"))["api_url"])
        repository = make_repository(product.folder / "repository")
        api.start_batch(_batch_text(product, repository))
        numbers = _wait_until_open(product)
        processes = _standing_processes(product)
        random.Random(3).shuffle(numbers)  # noqa: S311 - the same disorder each time
        half = 2 if options.quick else _TASKS // 2
        looked = [_merge(product, api, repository, number, event=False) for number in numbers[:half]]
        rung = [_merge(product, api, repository, number, event=True) for number in numbers[half : 2 * half]]
    start = median(each.process_start for each in (*looked, *rung))
    figures = (
        at_most("processes while all wait (server, Prefect worker, watcher)", len(processes), "", 3 + 1),
        Figure("their memory (PSS)", sum(read for read in processes.values()) / MB, "MB"),
        at_most("merge to MERGED by the interval, most", max(each.seconds for each in looked), "s", _POLL_SECONDS + 5),
        at_most("merge to MERGED by an event, less process start, median", _net(rung), "s", 3.0),
        Figure("start of a flow run's process, median", start, "s"),
    )
    return Measurement("deployed", f"{_TASKS} tasks of a deployment, merged by a person", figures, [looked, rung])


def _net(noticed: list[_Noticed]) -> float:
    return median(each.seconds - each.process_start for each in noticed)


class _Api:
    """The Prefect server's REST API."""

    def __init__(self, url: str) -> None:
        self._url = url

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            said = answer.read()
        return json.loads(said) if said else None

    def start_batch(self, text: str) -> None:
        found = self.call("GET", "/deployments/name/run-batch/run-batch")
        self.call("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": {"spec": text}})

    def send_event(self) -> None:
        event = {
            "event": "parallel-workers.pull-request.closed",
            "occurred": datetime.now(UTC).isoformat(),
            "id": str(uuid.uuid4()),
            "resource": {"prefect.resource.id": "parallel-workers.repository.benchmark"},
        }
        self.call("POST", "/events", [event])

    def states(self, run_id: str) -> list[dict[str, Any]]:
        states: list[dict[str, Any]] = self.call("GET", f"/flow_run_states/?flow_run_id={run_id}")
        return states


def _batch_text(product: Product, repository: Repository) -> str:
    text = write_batch(product.folder / "batch.yml", repository, no_op_tasks(_TASKS), 3).read_text(encoding="utf-8")
    return json.dumps({**json.loads(text), "merge": "manual"}, indent=1)


def _workers(product: Product) -> list[dict[str, Any]]:
    workers: list[dict[str, Any]] = json.loads(product.call("list", "--json"))
    return workers


def _wait_until_open(product: Product) -> list[int]:
    """The numbers of all pull requests, once every worker has one and its process has ended."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        open_now = [worker for worker in _workers(product) if worker["state"] == "PR_OPEN"]
        if len(open_now) == _TASKS:
            time.sleep(15)  # the last ones' processes, and the batch's, come to their end
            return [int(worker["pr_number"]) for worker in open_now]
        time.sleep(1)
    raise RuntimeError("not every worker has opened its pull request")


def _standing_processes(product: Product) -> dict[int, int]:
    """Bytes of memory by pid of everything that the product has running."""
    mine = {}
    for process in psutil.process_iter():
        try:
            if str(product.folder) in process.environ().get("HOME", ""):
                mine[process.pid] = read_memory(process.pid).pss
        except psutil.Error:
            continue
    return mine


def _merge(product: Product, api: _Api, repository: Repository, number: int, *, event: bool) -> _Noticed:
    worker = next(each for each in _workers(product) if each["pr_number"] == number)
    product.call("pr", "merge", str(number), "--repository", str(repository.clone))
    begun = time.time()
    if event:
        api.send_event()
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        states = sorted(api.states(worker["flow_run_id"]), key=lambda state: str(state["timestamp"]))
        if states[-1]["name"] == "MERGED":
            return _Noticed(_seconds(states[-1]) - begun, _process_start(states))
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"#{number} was merged, but its worker is not")


def _process_start(states: list[dict[str, Any]]) -> float:
    """From when a Prefect worker took the run last to when its process said that it runs."""
    taken = max(_seconds(state) for state in states if state["type"] == "PENDING")
    running = min(_seconds(state) for state in states if state["type"] == "RUNNING" and _seconds(state) > taken)
    return running - taken


def _seconds(state: dict[str, Any]) -> float:
    return datetime.fromisoformat(state["timestamp"]).timestamp()
