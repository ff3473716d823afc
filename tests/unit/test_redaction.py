"""No secret leaves: exact values, credentials in URLs, well-known shapes; and what is none is left readable."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_workers.redaction import MIN_SECRET, REDACTED, redact

BODY = "abcdefghijklmnopqrstuvwxyz0123456789ABCD"
KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join([BODY + BODY[:24]] * 3 + ["abc="])
    + "\n-----END RSA PRIVATE KEY-----"
)


@pytest.mark.parametrize(
    "token",
    [
        *(f"gh{letter}_{BODY[:36]}" for letter in "opsur"),
        f"github_pat_11ABCDEFG0_{BODY}",
        f"glpat-{BODY[:20]}",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "xoxb-1234567890-abcdef",
        f"sk-ant-api03-{BODY}",
        f"npm_{BODY[:36]}",
        "sk_live_" + BODY[:24],
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        KEY,
        KEY.replace("RSA ", "").replace("\n", "\\n"),
    ],
)
@pytest.mark.parametrize("frame", ["{}", "pushed with {} to main", "a={}\nb", "'{}'", "<td>{}</td>"])
def test_a_well_known_token_is_taken_out(token: str, frame: str) -> None:
    said = redact(frame.replace("{}", token))
    assert token[:24] not in said
    assert token[-12:] not in said
    assert said == frame.replace("{}", REDACTED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clone https://ada:pw@host.invalid/x.git#L3", "clone https://host.invalid/x.git#L3"),
        ("Authorization: Basic eA==\nHost: h", "Authorization: [redacted]\nHost: h"),
        ('{"authorization": "token abc", "n": 1}', '{"authorization": "[redacted]", "n": 1}'),
        ("proxy-authorization: x y z", "proxy-authorization: [redacted]"),
        ("Set-Cookie: sid=1; Secure", "Set-Cookie: [redacted]"),
        ("curl -H 'Bearer abcdefghijklmnop0123=='", "curl -H 'Bearer [redacted]'"),
        ("password=x", "password=[redacted]"),
        ("DB_PASSWORD = hunter2 # dev", "DB_PASSWORD = [redacted] # dev"),
        ('client_secret: "a b"', "client_secret: [redacted]"),
        ("GITHUB_TOKEN: abc123", "GITHUB_TOKEN: [redacted]"),
        ("{'api_key': 'k1', 'n': 2}", "{'api_key': [redacted], 'n': 2}"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=[redacted]"),
        ("https://h.invalid/f?token=abcdef1&page=2", "https://h.invalid/f?token=[redacted]&page=2"),
        ("https://h.invalid/f?X-Amz-Signature=abcdef1", "https://h.invalid/f?X-Amz-Signature=[redacted]"),
        ("-----BEGIN PRIVATE KEY-----\nabcd\nefgh", "[redacted]"),
        (f"12:01 {BODY}\n12:02 {BODY}\n12:03 -----END PRIVATE KEY-----\nok", "12:03 [redacted]\nok"),
        (f"built\n{BODY}\nabc=\n-----END EC PRIVATE KEY-----\nok", "built\n[redacted]\nok"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, said: str) -> None:
    assert redact(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "SyntaxError: unexpected token: '}'",
        "def login(user: str, password: str) -> None: ...",
        "password: too short",
        "secret: none",
        "sorted(names, key=len)",
        "see https://host.invalid/pull/3?diff=split#discussion_r1",
        "task-1 and risk-assessment-of-many-things",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "the keys begin with -----BEGIN PUBLIC KEY-----",
        "AKIA",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_secret_is_found_quoted_and_in_lines() -> None:
    secret = 'p w/"\n'
    lines = "first line of a secret\nsecond line of a secret"
    for text in (secret, quote(secret, safe=""), json.dumps(secret), 'x p w/" y'):
        assert "p w/" not in redact(text, [secret])
        assert quote("p w/", safe="") not in redact(text, [secret])
    said = redact("12:00 first line of a secret\n12:01 second line of a secret", [lines])
    assert said == f"12:00 {REDACTED}\n12:01 {REDACTED}"
    assert redact("one begins with the other: abcdef", ["abcd", "abcdef"]) == f"one begins with the other: {REDACTED}"


def test_what_is_too_short_to_be_a_secret_does_not_spoil_the_text() -> None:
    assert redact("a cat", ["", " ", "a", "cat"]) == "a cat"


def test_long_text_costs_little() -> None:
    hostile = [
        "a" * 300_000,
        "password" * 40_000,
        "eyJ" * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 10_000,
        "=" * 300_000,
    ]
    begun = time.process_time()
    for text in hostile:
        redact(text)
    assert time.process_time() - begun < 20


PIECES = st.sampled_from(
    [
        *("password=", "token: ", "Authorization: ", "Bearer ", "://", "@", "ghp_", "AKIA", "eyJ", ".", REDACTED, "'"),
        *(
            "-----BEGIN PRIVATE KEY-----",
            "-----END PRIVATE KEY-----",
            "\n",
            " ",
            "https://u:p@h/",
            BODY,
            BODY[:20].upper(),
        ),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=6), max_size=10).map("".join)
# A secret with brackets could be made of the mark itself; one within the mark cannot be taken out with it.
SECRETS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=MIN_SECRET, max_size=20).filter(
        lambda secret: secret not in REDACTED
    ),
    max_size=3,
)


@settings(max_examples=200, deadline=None)
@given(TEXTS, SECRETS, st.data())
def test_given_secrets_never_remain_and_twice_is_as_good_as_once(
    text: str, secrets: list[str], data: st.DataObject
) -> None:
    for secret in secrets:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + secret + text[at:]
    said = redact(text, secrets)
    for secret in secrets:
        assert secret not in said
    assert redact(said, secrets) == said
    assert len(said) <= 3 * len(text)
