"""The clock is set while a batch runs: no agent is cut off, no wait ends, nothing is done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.chaos.scenes import make_scene
from tests.chaos.set_clock import sitecustomize
from tests.conftest import TellFault
from tests.e2e.product import RUN, Product, finish, wait_until, write_batch

_DAY = 86400


def test_an_agent_and_a_wait_outlast_it(product: Product, tmp_path: Path, tell_fault: TellFault) -> None:
    scene, runs, off = make_scene(tmp_path, "clock"), tmp_path / "runs", tmp_path / "off"

    def set_clock(days: int) -> None:
        off.with_suffix(".new").write_text(str(days * _DAY), encoding="ascii")
        off.with_suffix(".new").replace(off)

    def workers(state: str) -> list[dict[str, Any]]:
        listed = product.call("list", "--state", state, "--json").data
        return [each for each in listed if each["repository"] == str(scene.repository)]

    set_clock(0)
    folders = f"{Path(sitecustomize.__file__).parent}:{product.environment['PYTHONPATH']}"
    shell = (
        f'echo "$PARALLEL_WORKERS_TASK_ID" >> "{runs}"; echo x > "$PARALLEL_WORKERS_TASK_ID"; '
        f'while ! test -e "{tmp_path}/$PARALLEL_WORKERS_TASK_ID-may-end"; do sleep 0.1; done'
    )
    tasks = [{"id": "WAITS", "shell": shell, "merge": "manual"}, {"id": "NEXT", "shell": shell}]
    write_batch(scene.spec, scene.repository, tasks)
    engine = product.begin(*RUN, str(scene.spec), PYTHONPATH=folders, **{sitecustomize.CLOCK_VARIABLE: str(off)})
    wait_until(lambda: runs.exists() and len(runs.read_text().split()) == 2, "both agents are at work")
    set_clock(30)
    (tmp_path / "WAITS-may-end").touch()
    wait_until(lambda: workers("PR_OPEN"), "a pull request waits")
    set_clock(100)
    (tmp_path / "NEXT-may-end").touch()
    wait_until(lambda: workers("MERGED"), "the other one is merged, so the engine has looked at both")
    set_clock(-30)
    merged = [
        product.call("pr", "merge", str(each["pr_number"]), "--repository", str(scene.repository)).exit_code
        for each in workers("PR_OPEN")
    ]
    done = finish(engine)
    assert merged == [0], done.stderr
    assert done.exit_code == 0, done.stderr
    assert done.results() == {"WAITS": "merged", "NEXT": "merged"}
    assert sorted(runs.read_text().split()) == ["NEXT", "WAITS"], "each agent ran once"
    tell_fault("clock: 30 and 100 days forward, 130 back", "merged, each agent once", "")
