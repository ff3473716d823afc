"""The files by which others host the product: no container engine is here, so what can be judged without one is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from click.testing import CliRunner
from prefect.cli._app import _app as prefect_command
from prefect.settings import Settings
from prefect.utilities.templating import find_placeholders

from flows.flow_names import WORK_POOL
from parallel_workers.cli.main import cli as our_command

DEPLOYMENTS = Path(__file__).resolve().parents[2] / "deployments"
ACTIONS = DEPLOYMENTS / "github-actions"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
TEMPLATE: dict[str, Any] = json.loads(
    (DEPLOYMENTS / "kubernetes" / "base-job-template.json").read_text(encoding="utf-8")
)
DOCKERFILE = (DEPLOYMENTS / "Dockerfile").read_text(encoding="utf-8")
OURS = "parallel-workers:0.1.0"
OTHERS_SETTINGS = frozenset(
    {
        # of prefect-redis 0.3, which is not among what the tests run on
        "PREFECT_REDIS_MESSAGING_URL",
        "PREFECT_REDIS_MESSAGING_PUBLISHER_PUBLISH_EVERY",
        "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL",
    }
)


def _aliases(model: Any) -> Iterator[str]:
    """Every environment variable that a settings model and those inside it read."""
    prefix = model.model_config.get("env_prefix", "")
    for name, field in model.model_fields.items():
        yield (prefix + name).upper()
        for choice in getattr(field.validation_alias, "choices", ()):
            if isinstance(choice, str):
                yield choice.upper()
        if hasattr(field.annotation, "model_fields"):
            yield from _aliases(field.annotation)


PREFECT_SETTINGS = frozenset(_aliases(Settings))


def _environment() -> dict[str, Mapping[str, str]]:
    dockerfile = dict(re.findall(r"\b(PREFECT_\w+)=(\S+)", DOCKERFILE))
    template = TEMPLATE["variables"]["properties"]["env"]["default"]
    given = {name: service["environment"] for name, service in SERVICES.items() if "environment" in service}
    return {**given, "Dockerfile": dockerfile, "Kubernetes": template}


@pytest.mark.parametrize(("place", "variables"), _environment().items())
def test_every_variable_is_a_setting_of_prefect(place: str, variables: Mapping[str, str]) -> None:
    named = {name for name in variables if name.startswith("PREFECT_")}
    assert named or place == "postgres"
    assert named - PREFECT_SETTINGS - OTHERS_SETTINGS == set()


def test_no_secret_is_written_down() -> None:
    secret = re.compile(r"PASSWORD|AUTH_STRING|KEY|TOKEN")
    found = [
        (place, name, value)
        for place, variables in _environment().items()
        for name, value in variables.items()
        if secret.search(name)
    ]
    assert len(found) >= 10
    assert [each for each in found if not re.fullmatch(r"\$\{\w+:\?.+\}", each[2])] == []
    example = (DEPLOYMENTS / "compose.env.example").read_text(encoding="utf-8")
    assert re.findall(r"^(\w*(?:PASSWORD|AUTH_STRING))=(.*)$", example, re.MULTILINE) == [
        ("PREFECT_AUTH_STRING", ""),
        ("POSTGRES_PASSWORD", ""),
    ]


def test_the_example_names_every_variable_of_compose() -> None:
    text = (DEPLOYMENTS / "compose.yaml").read_text(encoding="utf-8")
    example = (DEPLOYMENTS / "compose.env.example").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used == set(re.findall(r"^(\w+)=", example, re.MULTILINE))


@pytest.mark.parametrize("image", sorted({service["image"] for service in SERVICES.values()}))
def test_images_of_compose_are_pinned(image: str) -> None:
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?[\w.-]*(@sha256:[0-9a-f]{64})?", image)


def test_the_dockerfile_is_pinned_and_ends_without_root() -> None:
    [base] = re.findall(r"^ARG PYTHON_IMAGE=(.*)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    stages = re.findall(r"^FROM (.*)$", DOCKERFILE, re.MULTILINE)
    assert stages == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in last
    assert "--require-hashes" in DOCKERFILE


def test_every_file_the_image_is_made_of_is_let_through() -> None:
    root = DEPLOYMENTS.parent
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert lines[1] == "*"
    assert [name for name in allowed if not (root / name).exists()] == []
    for copied in ("requirements.lock", "deployments/scale-out.lock"):
        assert copied in DOCKERFILE
        assert (root / copied).is_file()
        assert copied.partition("/")[0] in allowed


@pytest.mark.parametrize(("name", "service"), SERVICES.items())
def test_containers_have_no_more_rights_than_they_need(name: str, service: Mapping[str, Any]) -> None:
    assert service["user"] not in {"", "root", "0", "0:0"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] in {"unless-stopped", "on-failure:5"}
    assert "test" in service.get("healthcheck", {}) or "disable" in service.get("healthcheck", {}) or _has_own(service)


def _has_own(service: Mapping[str, Any]) -> bool:
    """Whether the image's own health check fits: a Prefect worker that was told to answer it."""
    return service["image"] == OURS and "--with-healthcheck" in service["command"]


def test_agents_reach_neither_database_nor_redis() -> None:
    front = {name for name, service in SERVICES.items() if "front" in service["networks"]}
    store = {name for name, service in SERVICES.items() if "store" in service["networks"]}
    assert store & {"worker-1", "worker-2", "watcher", "proxy", "set-up"} == set()
    assert front & {"postgres", "redis", "services", "schema"} == set()
    assert COMPOSE["networks"]["store"] == {"internal": True}
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert SERVICES["proxy"]["ports"] == ["${PUBLISH:-127.0.0.1:4200}:8080"]


def test_everything_that_is_named_exists() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        sources = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        here = {source for source in sources if source.startswith(".")}
        assert sources - here <= set(COMPOSE["volumes"])
        assert all((DEPLOYMENTS / source).is_file() for source in here)


def test_workers_share_results_and_nothing_else() -> None:
    homes = [set(SERVICES[name]["volumes"]) for name in ("worker-1", "worker-2", "watcher")]
    assert set.intersection(*homes) == {"results:/results"}
    assert all(len(volumes) == 2 for volumes in homes)


PREFECT_COMMANDS = [service["command"] for service in SERVICES.values() if service.get("command", [""])[0] == "prefect"]
DOCKERFILE_COMMAND = json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[0])


@pytest.mark.parametrize("command", [*PREFECT_COMMANDS, DOCKERFILE_COMMAND], ids=" ".join)
def test_commands_are_prefect_s(command: list[str]) -> None:
    _, bound, _ = prefect_command.parse_args(command[1:], print_error=False, exit_on_error=False)
    given = {argument.lstrip("-") for argument in command if argument.startswith("--")}
    assert len(bound.arguments) == len(given)
    assert bound.arguments.get("work_pool_name", WORK_POOL) == WORK_POOL


def test_the_watcher_s_command_is_ours() -> None:
    command = SERVICES["watcher"]["command"]
    assert command[0] == "parallel-workers"
    done = CliRunner().invoke(our_command, [*command[1:], "--help"])
    assert done.exit_code == 0, done.output
    assert "Watch open pull requests" in done.output


def test_both_servers_stand_behind_the_proxy() -> None:
    text = (DEPLOYMENTS / "nginx" / "nginx.conf").read_text(encoding="utf-8")
    assert re.findall(r"^\s+server (\S+):4200 ", text, re.MULTILINE) == ["server-a", "server-b"]
    assert "listen 8080;" in text
    registering = [
        name
        for name in ("server-a", "server-b")
        if "PREFECT_SERVER_REGISTER_BLOCKS_ON_START" not in SERVICES[name]["environment"]
    ]
    assert registering == ["server-a"]


def test_the_job_template_is_whole() -> None:
    variables = TEMPLATE["variables"]
    jsonschema.Draft202012Validator.check_schema(variables)
    used = {placeholder.name for placeholder in find_placeholders(TEMPLATE["job_configuration"])}
    assert used == set(variables["properties"])
    defaults = {name: entry["default"] for name, entry in variables["properties"].items()}
    jsonschema.validate(defaults, variables)
    assert defaults["image"] == OURS
    pod = TEMPLATE["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["name"] == "prefect-job"  # prefect-kubernetes refuses any other
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert {each["name"] for each in pod["volumes"]} == {each["name"] for each in pod["containers"][0]["volumeMounts"]}


@pytest.mark.parametrize("file", sorted(ACTIONS.glob("workflows/*.yml")), ids=lambda file: file.name)
def test_workflows_have_least_rights_and_run_nothing_that_others_wrote(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        for step in job["steps"]:
            assert "run" not in step
            assert step["uses"].startswith("./") or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])
        assert job["steps"][0]["with"]["ref"] == "${{ github.event.repository.default_branch }}"
        assert job["steps"][0]["with"]["persist-credentials"] is False


def test_the_action_puts_no_text_into_its_shell() -> None:
    steps = yaml.safe_load((ACTIONS / "parallel-workers" / "action.yml").read_text(encoding="utf-8"))["runs"]["steps"]
    assert len(steps) == 2
    for step in steps:
        assert "${{" not in step["run"]
        script = re.fullmatch(r'"\$GITHUB_ACTION_PATH/([a-z-]+\.sh)"', step["run"])
        assert script
        assert (ACTIONS / "parallel-workers" / script[1]).stat().st_mode & 0o111
