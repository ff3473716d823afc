"""Clones of repositories that a batch names by URL: each made once, and used again afterwards."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path, PurePosixPath

from filelock import FileLock

from parallel_workers.adapters.git.askpass import GitCredential, answering, login_url
from parallel_workers.adapters.git.command import GitOptions, GitOutput, ask_git
from parallel_workers.adapters.git.extra_headers import without_login
from parallel_workers.errors import GitCommandError, UsageError
from parallel_workers.identity import slugify
from parallel_workers.remote_urls import without_credentials

# The forms git takes (https://git-scm.com/docs/git-clone#_git_urls); scp-like: a colon before any slash.
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCP_LIKE = re.compile(r"[^/:\s]+:")
# over http a user alone may be a token; over ssh it is a user
_USER_ALONE = re.compile(r"^((?!https?:)[a-z][a-z0-9+.-]*://)[^/?#@:]+@", re.IGNORECASE)
_HASH_LENGTH = 12


def is_url(repository: str) -> bool:
    """Whether git would take it for a URL (`scheme://…`, or scp-like `host:path`); what exists as a path is a path."""
    if _URL.match(repository):
        return True
    return _SCP_LIKE.match(repository) is not None and not Path(repository).exists()


def clone_path(url: str, folder: Path) -> Path:
    """Where the clone of `url` is below `folder`: `<slug of its last part>-<hash of the URL>`."""
    name = PurePosixPath(re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")).name
    digest = hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:_HASH_LENGTH]
    return folder / f"{slugify(name) or 'repository'}-{digest}"


def ensure_clone(url: str, folder: Path, credential: GitCredential | None = None) -> Path:
    """The clone of `url` below `folder`, made if it is not there; fetching into it is left to whoever uses it.

    With a `credential` git is given it for this one command, if the URL leads to its server.

    Whole or not there at all, also when many ask at once or a clone is killed half-way.

    Raises:
        UsageError: the URL holds credentials. The clone's config would hold them too, and agents can read that.
        GitCommandError: git cannot clone it; `transient` when another try may work. Names no credentials.
    """
    _refuse_credentials(url)
    target = clone_path(url, folder)
    if target.is_dir():
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with FileLock(folder / f"{target.name}.lock"):
        if not target.is_dir():
            draft = folder / f"{target.name}.partial"
            shutil.rmtree(draft, ignore_errors=True)
            _clone(url, draft, credential)
            draft.rename(target)
    return target


def _refuse_credentials(url: str) -> None:
    userless = _USER_ALONE.sub(r"\1", url, count=1)
    if without_credentials(userless) != userless:
        raise UsageError(
            f"the URL of {without_credentials(url)} holds credentials, which agents could read; "
            "leave them out and let git find them: a credential helper, or ssh"
        )


def _clone(url: str, draft: Path, credential: GitCredential | None) -> None:
    # the remote's name is ours to choose: the user's clone.defaultRemoteName may be another
    if credential is not None:
        url = login_url(url, credential.server_url)

    def ask(*arguments: str) -> GitOutput:
        # no repository's config counts: not that of one around the folder either
        return ask_git(draft.parent, *arguments, options=GitOptions({"GIT_DIR": os.devnull}))

    headers = without_login(credential, url, ask)
    arguments = ("clone", "--quiet", "--origin", "origin", "--", url, str(draft))
    with answering(credential) as answer:
        options = GitOptions(answer.environment, (*answer.config, *headers), inherited_fds=answer.inherited_fds)
        ended = ask_git(draft.parent, *arguments, options=options)
    if ended.code != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise GitCommandError(("clone", without_credentials(url)), ended.code, ended.stdout, ended.stderr)
