"""No secret of a remote's URL gets out, whatever it is made of; what is none stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_workers.errors import GitCommandError
from parallel_workers.remote_urls import name_place, redact_urls, without_credentials

_MARK = "SEKRET"
# all that may stand in user and password; the mark is never part of it
_NOISE = st.text(alphabet=st.characters(codec="ascii", exclude_characters=" /?#\\SEKRT", min_codepoint=33), max_size=8)
_USER_INFO = st.builds(lambda a, b, c: f"{a}{_MARK}{b}:{c}{_MARK}@", _NOISE, _NOISE, _NOISE)
_SCHEMES = st.sampled_from(["https://", "http://", "ssh://", "git://", "HTTPS://", "remote-helper::https://"])
_QUERIES = st.sampled_from(["", "?token=SEKRET", "#SEKRET", "?a=b&c='SEKRET'&d", "?x=https://u:SEKRET@inner"])
_FRAMES = st.sampled_from(["{}", "fatal: unable to access '{}': no", "To {}\n! [rejected]", '"{}",', "({}) and {}"])


@given(_SCHEMES, _USER_INFO, _QUERIES, _FRAMES)
def test_no_secret_gets_out(scheme: str, user_info: str, query: str, frame: str) -> None:
    url = f"{scheme}{user_info}host.invalid/group/x.git{query}"
    text = frame.replace("{}", url)
    error = GitCommandError(("push", url, f"--url={url}"), 128, text, text)
    shown = (without_credentials(url), redact_urls(text), str(error), repr(error.args), error.stdout, error.stderr)
    for part in (*shown, *error.argv[1:]):
        assert _MARK not in part
        assert "host.invalid/group/x.git" in part


@pytest.mark.parametrize(
    "url",
    [
        "https://host.invalid/p@th",
        "https://host.invalid:8443/p@th",
        "https://[::1]:8443/p@th",
        "git@host.invalid:group/x.git",
        "../b.git",
        "/srv/a@b?c#d.git",
        "file:///srv/a@b?c#d.git",
        "C:/x",
    ],
)
def test_what_holds_no_secret_stays(url: str) -> None:
    assert without_credentials(url) == url
    assert redact_urls(f"fatal: '{url}' does not exist, mail a@b") == f"fatal: '{url}' does not exist, mail a@b"


@pytest.mark.parametrize("password", ["SEK/RET", "SEK?RET", "SEK#RET", "a/SEK@RET", "SEKRET with space"])
def test_a_password_that_nobody_encoded(password: str) -> None:
    shown = without_credentials(f"https://bob:{password}@host.invalid/x.git")
    assert not any(part in shown for part in ("SEK", "RET"))


def test_the_sentence_around_stays() -> None:
    said = "fatal: unable to access 'https://bob:x@host.invalid/x.git?t=1': Could not resolve host: host.invalid"
    told = "fatal: unable to access 'https://host.invalid/x.git': Could not resolve host: host.invalid"
    assert redact_urls(said) == told


@pytest.mark.parametrize(
    "url",
    [
        "https://GitHub.invalid/group/x",
        "https://user:pass@github.invalid:443/group/x.git/",
        "http://github.invalid/group/x.git?a=b",
        "ssh://git@github.invalid:2222/group/x.git",
        "git@github.invalid:group/x.git",
        "github.invalid:/group/x",
    ],
)
def test_a_repository_has_one_name_however_it_is_reached(url: str) -> None:
    assert name_place(url) == "github.invalid/group/x"


def test_other_places_have_other_names() -> None:
    urls = [
        "https://a.invalid/x",
        "https://b.invalid/x",
        "https://a.invalid:8443/x",
        "https://a.invalid/X",
        "a:x",
        "::",
    ]
    assert len({name_place(url) for url in urls}) == len(urls)
    assert name_place("https://[::1]:8443/x.git") == "::1:8443/x"
