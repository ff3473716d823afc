"""Takes secrets out of text that leaves the machine or is shown to an agent: logs, comments, pull request texts.

Three nets: values known to be secret, credentials in URLs, and the shapes of well-known tokens. The last two are a
guess by nature; what is named in `secrets` is certain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from urllib.parse import quote

from parallel_workers.redacted_keys import redact_private_keys
from parallel_workers.remote_urls import redact_user_info

REDACTED = "[redacted]"
MIN_SECRET = 4
"""A shorter value is no secret worth the name; taking it out everywhere would only spoil the text."""
_MIN_SECRET_LINE = 16
_PASSES = 4

# Published prefixes; a token begins where no word is under way.
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    r"gh[oprsu]_[A-Za-z0-9_]{16,}"  # GitHub
    r"|github_pat_[A-Za-z0-9_]{16,}"
    r"|gl(?:pat|cbt|ptt|rt|ft|dt|soat)-[A-Za-z0-9_.-]{16,}"  # GitLab
    r"|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|(?:xox[a-z]|xapp)-[A-Za-z0-9-]{10,}"  # Slack
    r"|AIza[A-Za-z0-9_-]{30,}"  # Google
    r"|ya29\.[A-Za-z0-9_-]{20,}"
    r"|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}"  # Stripe
    r"|sk-[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic
    r"|npm_[A-Za-z0-9]{30,}"
    r"|pypi-[A-Za-z0-9_-]{50,}"
    r"|dckr_pat_[A-Za-z0-9_-]{20,}"
    r"|hf_[A-Za-z0-9]{30,}"
    r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"  # SendGrid
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"  # JSON Web Tokens
    r")"
)
_BEARER = re.compile(r"\b((?:bearer|basic)[ \t]+)(?!\[redacted\])[A-Za-z0-9._~+/-]{16,}=*", re.IGNORECASE)
_HEADER = re.compile(r"((?:authorization|cookie)[\"']?[ \t]*:[ \t]*[\"']?)([^\s\"'][^\r\n\"']*)", re.IGNORECASE)
_NAME = (
    r"(?:password|passwd|passphrase|secret|credential|api[_-]?key|access[_-]?key|private[_-]?key|[_-]token|[_-]pat)"
    r"s?[A-Za-z0-9_]{0,40}[\"']?[ \t]*"
)
_QUOTED = r"\"[^\"\r\n]+\"|'[^'\r\n]+'"
_PLAIN = r"(?:\[redacted\]|[^\s,;\"'&)}\]])+"
# Words that stand where code, and not a configuration, names a type or nothing.
_NO_VALUE = r"(?!(?:str|string|bytes|none|null|true|false|undefined|optional|any|int|bool)\b)"
_ASSIGNED = re.compile(rf"({_NAME}=[ \t]*){_NO_VALUE}(?:{_QUOTED}|{_PLAIN})", re.IGNORECASE)
# After a colon prose may follow ("password: too short"): what is not quoted has to look like no word.
_SAID = re.compile(
    rf"({_NAME}(?:=>|:)[ \t]*){_NO_VALUE}(?:{_QUOTED}|(?=[^\s,;]*[0-9!@#$%^*+/_=-]|[^\s,;]{{12}}){_PLAIN})",
    re.IGNORECASE,
)
_IN_QUERY = re.compile(rf"(\b(?:pwd|pass|token|sig|signature)=)(?=[^\s&]{{6}}){_NO_VALUE}(?:{_QUOTED}|{_PLAIN})", re.I)


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """`text` with every secret in it as `[redacted]`. Doing it twice changes nothing more.

    `secrets` are exact values (the token in use, say), also found URL-quoted, JSON-quoted, and line by line. Do it
    before text is cut or quoted: half a token, or one with a backslash in it, is not recognised.
    """
    known = _known_secrets(secrets)
    for _ in range(_PASSES):
        before, text = text, _redact_once(text, known)
        if text == before:
            break
    return text


def _redact_once(text: str, known: re.Pattern[str] | None) -> str:
    if known is not None:
        text = known.sub(REDACTED, text)
    text = redact_private_keys(redact_user_info(text), REDACTED)
    text = _TOKEN.sub(REDACTED, text)
    for pattern in (_HEADER, _BEARER, _ASSIGNED, _SAID, _IN_QUERY):
        text = pattern.sub(rf"\g<1>{REDACTED}", text)
    return text


def _known_secrets(secrets: Collection[str]) -> re.Pattern[str] | None:
    values: set[str] = set()
    for secret in secrets:
        lines = [line.strip() for line in secret.splitlines()]
        values |= {secret, secret.strip(), quote(secret, safe=""), json.dumps(secret)[1:-1]}
        values |= {line for line in lines if len(line) >= _MIN_SECRET_LINE}
    usable = [value for value in values if len(value) >= MIN_SECRET and value not in REDACTED]
    # The longest first: one secret may begin with another.
    ordered = sorted(usable, key=lambda value: (-len(value), value))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None
