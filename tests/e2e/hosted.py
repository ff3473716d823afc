"""The product as a hosted service: server, Prefect worker and watcher, started by `up` in a home of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.e2e.product import Ended, Product, wait_until

START_SECONDS = 120.0


class Hosted(Product):
    """`up` in a fresh home; flow runs are asked for over the server's REST API."""

    def __init__(self, folder: Path, poll_seconds: float = 1.0, *, more: Mapping[str, str] | None = None) -> None:
        """`more` are environment variables for everything that it runs."""
        super().__init__(folder)
        self.environment |= more or {}
        up = self.call("up", "--poll-interval", str(poll_seconds), "--json")
        assert up.exit_code == 0, up.stderr
        self.api_url = str(up.data["api_url"])
        self.environment["PREFECT_API_URL"] = self.api_url

    def down(self) -> Ended:
        """Stop everything. The server is the embedded one again, not one that is configured."""
        del self.environment["PREFECT_API_URL"]
        return self.call("down", "--force")

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One request to the server."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - the server's own address
            self.api_url + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            said = answer.read()
        return json.loads(said) if said else None

    def start(self, deployment: str, parameters: dict[str, object]) -> str:
        """Start a flow run of a deployment as the UI does; its id."""
        found = self.api("GET", f"/deployments/name/{deployment}/{deployment}")
        run = self.api("POST", f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})
        return str(run["id"])

    def prefect(self, *arguments: str) -> Ended:
        """Prefect's own command line."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def state(self, run_id: str) -> tuple[str, str]:
        """Type and name of a flow run's state."""
        state = self.api("GET", f"/flow_runs/{run_id}")["state"]
        return state["type"], state["name"]

    def workers(self) -> dict[str, dict[str, Any]]:
        """What `list --json` tells, by task id."""
        listed = self.call("list", "--json")
        assert listed.exit_code == 0, listed.stderr
        return {worker["task_id"]: worker for worker in listed.data}

    def wait_for_states(self, expected: dict[str, str], seconds: float = START_SECONDS) -> dict[str, dict[str, Any]]:
        """Until every named task's worker is in its state."""

        def found() -> dict[str, dict[str, Any]]:
            workers = self.workers()
            now = {task_id: workers[task_id]["state"] for task_id in expected if task_id in workers}
            return workers if now == expected else {}

        return wait_until(found, f"workers in {expected}", seconds)

    def wait_for_run(self, run_id: str, state: tuple[str, str], seconds: float = START_SECONDS) -> None:
        """Until a flow run is in a state of this type and name."""
        deadline = time.monotonic() + seconds
        while (now := self.state(run_id)) != state:
            assert time.monotonic() < deadline, f"{run_id} is {now}, not {state}"
            time.sleep(0.3)

    def merge(self, repository: Path, numbers: Sequence[int]) -> None:
        """Merge pull requests as a person does."""
        for number in numbers:
            merged = self.call("pr", "merge", str(number), "--repository", str(repository))
            assert merged.exit_code == 0, merged.stderr

    def programs(self) -> list[str]:
        """What the processes of this home run: the module of each, in order."""
        names = []
        for process in self.processes():
            try:
                arguments = process.cmdline()
            except psutil.Error:
                continue
            names.append(arguments[arguments.index("-m") + 1] if "-m" in arguments else arguments[0])
        return sorted(names)
