"""What a remote's refusal means for whoever has to mend it: git tells a status, and no permission. Pure."""

from __future__ import annotations

import re

_REJECTED = re.compile(r"\[remote rejected\] \((?P<why>.+)\)")
_UNKNOWN = ("Authentication failed", "The requested URL returned error: 401", "HTTP 401")
_FORBIDDEN = ("The requested URL returned error: 403", "HTTP 403")
_NOT_GIVEN = ("could not read Username", "could not read Password")


def explain_refusal(verb: str, stdout: str, stderr: str) -> str:
    """What the credentials lack, or why the remote rejected a push; '' where neither is the matter."""
    rejected = _REJECTED.search(stdout)
    if rejected:
        return f"the remote rejected it: {rejected['why']}"
    need = "write" if verb == "push" else "read"
    on_github = f"on GitHub it needs Contents: {need} for the repository (a classic token: the scope repo)"
    if any(words in stderr for words in _FORBIDDEN):
        return f"the token or App has no {need} access there: {on_github}; give it that in its settings"
    if any(words in stderr for words in _UNKNOWN):
        return f"the token is wrong or has ended: set GITHUB_TOKEN, or the forge block, to a new one; {on_github}"
    if any(words in stderr for words in _NOT_GIVEN):
        return f"there is no token for it: set GITHUB_TOKEN, or the forge block; {on_github}"
    return ""
