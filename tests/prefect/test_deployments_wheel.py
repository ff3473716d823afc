"""`prefect deploy --all` works from the copy of prefect.yaml in an installed wheel, in any folder, and from a clone."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate

from deployments.prefect_file import prefect_file
from deployments.server_address import ServerAddress
from flows.flow_names import FLOWS, WORK_POOL, deployment_of

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a wheel built from this clone is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=_ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_clone_has_it_at_its_root() -> None:
    assert prefect_file() == _ROOT / "prefect.yaml"


@pytest.mark.parametrize("place", ["wheel", "clone"])
def test_every_deployment_is_made(
    prefect_server: ServerAddress, request: pytest.FixtureRequest, tmp_path: Path, place: str
) -> None:
    root = request.getfixturevalue("installed") if place == "wheel" else _ROOT
    cwd = tmp_path if place == "wheel" else _ROOT
    asked = subprocess.run(
        [sys.executable, "-P", "-c", "from deployments.prefect_file import prefect_file; print(prefect_file())"],
        env=os.environ | {"PYTHONPATH": str(root)},
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
    )
    file = Path(asked.stdout.strip())
    assert file.is_relative_to(root)
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process"), overwrite=True)
        for name in FLOWS:
            for deployment in client.read_deployments():
                if deployment.name == name:
                    client.delete_deployment(deployment.id)
        # -P: as the installed `prefect` script, which does not look for modules in the folder it is called in.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)],
            env=os.environ | {"PYTHONPATH": str(root)},
            cwd=cwd,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        made = {name: client.read_deployment_by_name(deployment_of(name)) for name in FLOWS}
    assert [each.pull_steps for each in made.values()] == [[]] * len(FLOWS)
    assert [each.active for each in made["run-batch"].schedules] == [False]
    assert made["run-batch"].parameter_openapi_schema is not None
    assert made["run-batch"].parameter_openapi_schema["required"] == ["spec"]
