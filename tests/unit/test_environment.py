"""The environment filter: what must always hold, and the names people use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_workers.environment import (
    DEFAULT_KEPT_NAMES,
    DEFAULT_REFUSED_PATTERNS,
    SecretPolicy,
    filter_environment,
)

POLICY = SecretPolicy()
_ALLOWED = {name for name in DEFAULT_KEPT_NAMES if "*" not in name}
_NAMES = st.text(st.characters(blacklist_characters="=\0"), min_size=1, max_size=40)
_LETTERS = st.text("ABCXYZ_", min_size=1, max_size=12)
_VALUE = "v4lue-nobody-may-see"


@given(_NAMES.filter(lambda name: name not in _ALLOWED and not name.startswith("LC_")))
def test_what_is_not_allowlisted_never_passes(name: str) -> None:
    filtered = filter_environment({name: _VALUE, "PATH": "/bin"}, POLICY)
    assert filtered.kept == {"PATH": "/bin"}
    assert name in filtered.withheld
    assert _VALUE not in str(filtered.withheld) + str(filtered.reduced)


@given(_NAMES)
def test_a_name_granted_exactly_always_passes_whole(name: str) -> None:
    value = f"http://user:{_VALUE}@proxy"
    filtered = filter_environment({name: value}, POLICY, {name})
    assert filtered == ({name: value}, {}, {})


@given(_LETTERS, st.sampled_from(["KEY", "SECRET", "TOKEN", "PASSWORD", "API_KEY", "PASSWD", "CREDENTIALS"]))
def test_a_name_like_a_secret_never_passes_by_the_allowlist(prefix: str, ending: str) -> None:
    name = f"{prefix}_{ending}"
    everything = SecretPolicy(kept_names=("*",))
    for spelling in (name, name.lower(), name.title()):
        assert filter_environment({spelling: _VALUE}, everything).kept == {}
        assert filter_environment({spelling: _VALUE}, everything, {f"*{ending}", f"{spelling}X"}).kept == {}


@given(st.dictionaries(_NAMES, st.text(max_size=20)), st.sets(_NAMES))
def test_every_name_is_either_kept_or_withheld(environment: dict[str, str], granted: set[str]) -> None:
    filtered = filter_environment(environment, POLICY, granted)
    assert filtered.kept.keys() | filtered.withheld.keys() == environment.keys()
    assert not filtered.kept.keys() & filtered.withheld.keys()
    assert filtered.reduced.keys() <= filtered.kept.keys()


@pytest.mark.parametrize(
    "name",
    [
        *("FOO_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "MY_API_KEY", "OPENAI_API_KEY", "APIKEY"),
        *(
            "TOKEN",
            "PASSWORD",
            "SECRET",
            "github_token",
            "GH_TOKEN",
            "GITHUB_TOKEN",
            "DB_PASSWD",
            "DB_PWD",
            "MYSQL_PASS",
            "PGPASSWORD",
        ),
        *("GOOGLE_APPLICATION_CREDENTIALS", "npm_config__auth", "NODE_AUTH_TOKEN", "SIGNING_KEY_BASE64"),
        "PARALLEL_WORKERS_GITHUB_APP_KEY",
        *("SSH_AUTH_SOCK", "DATABASE_URL", "SENTRY_DSN", "LC_API_KEY", "SSH_KEY_PASSPHRASE", "SECRET_KEY_BASE"),
    ],
)
def test_names_of_secrets_in_use_are_refused_even_when_everything_is_kept(name: str) -> None:
    assert filter_environment({name: _VALUE}, SecretPolicy(kept_names=("*",))).withheld.keys() == {name}


@pytest.mark.parametrize("name", sorted(_ALLOWED | {"LC_ALL", "LC_CTYPE"}))
def test_no_refused_pattern_hits_the_allowlist(name: str) -> None:
    assert filter_environment({name: "value"}, POLICY) == ({name: "value"}, {}, {})


@pytest.mark.parametrize("name", ["path", "Home", "PWD", "GIT_DIR", "LD_PRELOAD", "PREFECT_API_URL", "PYTHONPATH"])
def test_near_misses_of_the_allowlist_do_not_pass(name: str) -> None:
    assert filter_environment({name: "value"}, POLICY).kept == {}


@pytest.mark.parametrize(
    ("given_url", "kept_url"),
    [
        ("http://user:pass@proxy.example:8080", "http://proxy.example:8080"),
        ("http://user@proxy.example", "http://proxy.example"),
        ("http://user:p@ss/w#rd@proxy.example", "http://proxy.example"),
        ("user:pass@proxy.example:8080", "proxy.example:8080"),
        ("http://proxy.example:8080", "http://proxy.example:8080"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_credentials_of_a_proxy_are_left_out(name: str, given_url: str, kept_url: str) -> None:
    filtered = filter_environment({name: given_url}, POLICY)
    assert filtered.kept == {name: kept_url}
    assert bool(filtered.reduced) == (given_url != kept_url)
    assert "pass" not in str(filtered.reduced).replace("password", "").replace("pass them", "")


def test_grants_are_the_profiles_own() -> None:
    policy = SecretPolicy(grants={"iac-engineer": ("AWS_SECRET_ACCESS_KEY",)})
    assert policy.granted_to("iac-engineer") == ("AWS_SECRET_ACCESS_KEY",)
    assert policy.granted_to("code-author") == policy.granted_to(None) == ()


def test_a_granted_name_that_is_not_set_is_no_matter() -> None:
    assert filter_environment({}, POLICY, {"GH_TOKEN"}) == ({}, {}, {})


def test_the_defaults_name_no_pattern_twice() -> None:
    for names in (DEFAULT_KEPT_NAMES, DEFAULT_REFUSED_PATTERNS):
        assert len(set(names)) == len(names)
