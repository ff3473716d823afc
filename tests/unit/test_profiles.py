"""Shipped profiles, and what the user declares over them."""

from __future__ import annotations

import pytest

from parallel_workers.errors import UsageError
from parallel_workers.profiles import (
    COMMAND_VARIABLE,
    SHIPPED_NAMES,
    merge_profile,
    names_instructions_file,
    resolve_profile,
    shipped_profiles,
)
from parallel_workers.spec import AgentProfile, PromptDelivery


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_shipped_profiles_have_real_instructions_and_no_command(name: str) -> None:
    profile = shipped_profiles()[name]
    assert profile.command == ()
    assert len(profile.instructions.split()) > 150
    assert profile.instructions.startswith("You are ")


def test_shipped_profiles_differ() -> None:
    assert len({profile.instructions for profile in shipped_profiles().values()}) == len(SHIPPED_NAMES)


def test_a_declared_profile_adds_to_the_shipped_one() -> None:
    declared = {"code-author": AgentProfile(command=("agent", "-p"), prompt=PromptDelivery.STDIN, env=("KEY",))}
    profile = resolve_profile("code-author", declared, {})
    assert profile.instructions == shipped_profiles()["code-author"].instructions
    assert (profile.command, profile.prompt, profile.env) == (("agent", "-p"), PromptDelivery.STDIN, ("KEY",))


def test_a_declared_profile_survives_json() -> None:
    """Prefect keeps parameters as JSON, after which every field counts as set."""
    declared = AgentProfile.model_validate_json(AgentProfile(command=("agent",)).model_dump_json())
    assert merge_profile("test-author", {"test-author": declared}).instructions


def test_own_instructions_replace_the_shipped_ones() -> None:
    declared = {"code-author": AgentProfile(command=("agent",), instructions="Be brief.")}
    assert resolve_profile("code-author", declared, {}).instructions == "Be brief."


def test_a_profile_of_ones_own_needs_no_shipped_one() -> None:
    profile = AgentProfile(command=("agent",))
    assert resolve_profile("mine", {"mine": profile}, {}) == profile


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'code-auther'; did you mean code-author\?.*iac-engineer.*mine"):
        resolve_profile("code-auther", {"mine": AgentProfile()}, {COMMAND_VARIABLE: "agent"})


def test_the_environment_gives_the_command_when_nothing_else_does() -> None:
    environment = {COMMAND_VARIABLE: "agent --say 'two words'"}
    assert resolve_profile("code-author", {}, environment).command == ("agent", "--say", "two words")
    declared = {"code-author": AgentProfile(command=("mine",))}
    assert resolve_profile("code-author", declared, environment).command == ("mine",)


def test_this_process_is_asked_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMMAND_VARIABLE, "agent")
    assert resolve_profile("code-author", {}).command == ("agent",)


@pytest.mark.parametrize("environment", [{}, {COMMAND_VARIABLE: "  "}])
def test_no_program_at_all_shows_what_to_write(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_profile("iac-engineer", {}, environment)
    text = str(caught.value)
    assert "agents:\n  iac-engineer:\n    command: [" in text
    assert COMMAND_VARIABLE in text


def test_a_command_line_that_cannot_be_split_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be split"):
        resolve_profile("code-author", {}, {COMMAND_VARIABLE: "agent 'open"})


@pytest.mark.parametrize(
    ("instructions", "is_file"),
    [("docs/agent.md", True), ("Follow docs/agent.md", False), ("", False), ("Be brief.\nSee a.md", False)],
)
def test_a_path_is_told_from_a_text(instructions: str, *, is_file: bool) -> None:
    assert names_instructions_file(instructions) is is_file
