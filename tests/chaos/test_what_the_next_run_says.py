"""After a kill, the server is put right, and the next run says what it takes up and what it repeats."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil

from parallel_workers.crash_points import CRASH_VARIABLE
from tests.chaos.kills import read_runs
from tests.chaos.scenes import Scene, make_scene
from tests.e2e.product import RUN, Product, finish, wait_until, write_batch


def states_of(product: Product, tag: str) -> dict[str, list[str]]:
    """The names of the states of all runs with this tag, by the name of the run."""
    found: dict[str, list[str]] = {}
    for run in read_runs(product, "parallel-workers", tag):
        found.setdefault(str(run["name"]), []).append(str(run["state_name"]))
    return {name: sorted(states) for name, states in found.items()}


def kill_at(product: Product, scene: Scene, point: str) -> None:
    killed = finish(product.begin(*RUN, str(scene.spec), **{CRASH_VARIABLE: point}))
    assert killed.exit_code == -signal.SIGKILL
    assert "an earlier" not in killed.stderr


def test_work_that_was_cut_short_is_repeated(product: Product, tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "cut-short")
    kill_at(product, scene, "agent.started")
    said = product.run(scene.spec).stderr
    assert "an earlier engine was killed; what it left running counts as crashed, and can run again" in said
    assert "batch cut-short" in said
    assert "an earlier engine was killed while its agent ran" in said
    assert "T1 UNKNOWN taken up again; an earlier run left it" in said
    assert "as an earlier run left it" in said
    assert "agent-T1 is at work; an earlier run was ended before that was done" in said
    assert states_of(product, "project:cut-short") == {
        "batch cut-short": ["Completed", "Crashed"],
        "T1 · agent-T1": ["MERGED"],
    }


def test_work_that_was_done_is_not_repeated(product: Product, tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "done-before")
    kill_at(product, scene, "pr.begun")
    said = product.run(scene.spec).stderr
    assert "agent-T1 need not run again: its work is done, and kept" in said
    assert "is at work; an earlier run" not in said
    again = product.run(scene.spec)
    assert again.data["tasks"][0]["already_done"]


def test_another_batchs_dead_workers_are_put_back_and_a_live_one_is_left_alone(
    product: Product, tmp_path: Path
) -> None:
    dead, gate = make_scene(tmp_path, "dead-batch"), tmp_path / "gate"
    kill_at(product, dead, "agent.ended")
    assert states_of(product, "project:dead-batch")["T1 · agent-T1"] == ["WORKING"], "Prefect cannot know"
    shell = f'echo begun > "{tmp_path}/begun"; while ! test -e "{gate}"; do sleep 0.05; done; echo x > x.txt'
    live = make_scene(tmp_path, "live-batch")
    write_batch(live.spec, live.repository, [{"id": "T1", "shell": shell}])
    engine = product.begin(*RUN, str(live.spec))
    wait_until((tmp_path / "begun").exists, "the agent is at work")
    crashed = {"batch dead-batch": ["Crashed"], "T1 · agent-T1": ["Crashed"]}
    assert states_of(product, "project:dead-batch") == crashed
    other = make_scene(tmp_path, "other-batch")
    assert product.run(other.spec).exit_code == 0
    assert states_of(product, "project:live-batch")["T1 · agent-T1"] == ["WORKING"]
    gate.touch()
    assert finish(engine).exit_code == 0
    assert product.run(dead.spec).results() == {"T1": "merged"}


def test_two_engines_that_begin_a_batch_at_once_pay_each_agent_once(product: Product, tmp_path: Path) -> None:
    scene = make_scene(tmp_path, "at-once")
    names = ["T1", "T2", "T3"]
    tasks = [{"id": name, "shell": f"echo {name} >> '{tmp_path}/runs'; echo x > {name}.txt"} for name in names]
    write_batch(scene.spec, scene.repository, tasks)
    both = [product.begin(*RUN, str(scene.spec)) for _ in range(2)]
    for engine in both:
        ended = finish(engine)
        assert ended.results() == dict.fromkeys(names, "merged"), ended.stderr
    assert sorted((tmp_path / "runs").read_text().split()) == names


def test_a_second_engine_on_a_batch_says_so_and_waits_until_the_first_is_dead(product: Product, tmp_path: Path) -> None:
    scene, gate = make_scene(tmp_path, "two-engines"), tmp_path / "gate"
    shell = f'echo $$ >> "{tmp_path}/begun"; while ! test -e "{gate}"; do sleep 0.05; done; echo x > x.txt'
    write_batch(scene.spec, scene.repository, [{"id": "T1", "shell": shell}])
    first = product.begin(*RUN, str(scene.spec))
    wait_until((tmp_path / "begun").exists, "the first agent is at work")
    second = product.begin(*RUN, str(scene.spec))
    assert second.stderr is not None
    assert any("another engine on this machine is running it" in line for line in iter(second.stderr.readline, ""))
    pids = [int(pid) for pid in (tmp_path / "begun").read_text().split()]
    assert len(pids) == 1
    os.kill(pids[0], 0)  # the second has not touched it
    first.kill()
    begun = tmp_path / "begun"
    wait_until(lambda: len(begun.read_text().split()) == 2, "the second has taken the worker up")
    assert finish(first).exit_code == -signal.SIGKILL
    assert not psutil.pid_exists(pids[0]), "the dead engine's agent was ended before"
    gate.touch()
    assert finish(second).results() == {"T1": "merged"}
