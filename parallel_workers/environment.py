"""What of the host's environment an agent gets: an allowlist, and over it patterns of names that hold secrets.

Agents hand their whole environment to every tool and every package script they run. So nothing passes unless it
is known to be needed, and what is named like a secret passes only when granted by its exact name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from pydantic import Field

from parallel_workers.spec import Frozen

DEFAULT_KEPT_NAMES = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TERM", "TZ", "TMPDIR"),
    # Proxies: both spellings are in use, and curl reads http_proxy only in lower case.
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    # Certificate authorities, as OpenSSL, requests, curl, Node, git, pip, cargo, AWS and Nix name them.
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "PIP_CERT", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE", "NIX_SSL_CERT_FILE"),
    # Who commits; some agents hide the global git configuration from their shell.
    *("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"),
)

DEFAULT_REFUSED_PATTERNS = (
    *("KEY", "*_KEY", "*_KEY_*", "*APIKEY", "*APIKEYS", "*_KEYS", "*_PRIVATEKEY", "*ACCESSKEY*"),
    *("*SECRET", "*SECRETS", "*_SECRET_*", "SECRET_*", "*TOKEN", "*TOKENS", "*_TOKEN_*", "*_PAT"),
    *("*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*_PASS", "*_PWD", "*CREDENTIAL*", "*_CREDS"),
    *("*_AUTH", "*_AUTHORIZATION", "*_COOKIE", "*_DSN", "*_CONNECTION_STRING", "DATABASE_URL", "*_DATABASE_URL"),
    # Whoever reaches the agent's socket signs in as the user.
    *("SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO"),
)

_PROXY = re.compile(r"[A-Za-z]+_proxy", re.IGNORECASE)
# Up to the last @: a password may hold any character when whoever set it forgot to quote it.
_URL_CREDENTIALS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)?.*@", re.DOTALL)


class SecretPolicy(Frozen):
    """What passes. Patterns are shell patterns (`*`, `?`); kept ones heed case, refused ones do not.

    `grants` adds exact names per agent profile; a grant beats a refused pattern, an allowlisted pattern does not.
    """

    kept_names: tuple[str, ...] = DEFAULT_KEPT_NAMES
    refused_patterns: tuple[str, ...] = DEFAULT_REFUSED_PATTERNS
    grants: Mapping[str, tuple[str, ...]] = Field(default_factory=lambda: MappingProxyType({}))

    def granted_to(self, agent: str | None) -> tuple[str, ...]:
        """The names this policy grants to the agent profile of that name."""
        return self.grants.get(agent, ()) if agent else ()


class FilteredEnvironment(NamedTuple):
    """What an environment became. `withheld` and `reduced` give reasons by name and never hold a value.

    `reduced` names what is in `kept` without the user and password its URL held.
    """

    kept: dict[str, str]
    withheld: dict[str, str]
    reduced: dict[str, str]


def filter_environment(
    environment: Mapping[str, str], policy: SecretPolicy, granted: Collection[str] = ()
) -> FilteredEnvironment:
    """Divide an environment into what an agent gets and what is withheld from it.

    `granted` are exact names; patterns in it mean nothing. A proxy's URL passes without the user and password in
    it, unless the variable is granted: a program then says "proxy authentication required" instead of hanging.
    """
    kept, withheld, reduced = {}, {}, {}
    exact = frozenset(granted)
    for name, value in environment.items():
        reason = "" if name in exact else _reason_to_withhold(name, policy)
        if reason:
            withheld[name] = reason
        elif name not in exact and _PROXY.fullmatch(name) and _URL_CREDENTIALS.match(value):
            kept[name] = _URL_CREDENTIALS.sub(lambda found: found["scheme"] or "", value)
            reduced[name] = f"user and password are left out; grant {name} by name to pass them"
        else:
            kept[name] = value
    return FilteredEnvironment(kept, withheld, reduced)


def _reason_to_withhold(name: str, policy: SecretPolicy) -> str:
    for pattern in policy.refused_patterns:
        if _matches_anyhow(name, pattern):
            return f"named like a secret ({pattern}); passes only when granted by its exact name"
    if any(fnmatchcase(name, pattern) for pattern in policy.kept_names):
        return ""
    return "not in the allowlist"


@lru_cache(maxsize=8192)
def _matches_anyhow(name: str, pattern: str) -> bool:
    """Whether a name matches, upper or lower case. Cached: every worker of a batch asks the same."""
    return fnmatchcase(name.upper(), pattern.upper())
