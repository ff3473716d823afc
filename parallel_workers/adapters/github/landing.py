"""Whether work is in its base, and where it conflicts: found with git, since GitHub tells neither by content."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from loguru import logger

from parallel_workers.adapters.git.askpass import GitCredential
from parallel_workers.adapters.git.bases import fetch_base
from parallel_workers.adapters.git.content_in_base import find_ahead, find_content
from parallel_workers.adapters.git.discovery import discover
from parallel_workers.adapters.git.merge_trees import merge_trees
from parallel_workers.adapters.git.opened import OpenedRepository
from parallel_workers.adapters.git.repository import LOCK_FILE
from parallel_workers.adapters.git.repository_lock import DEFAULT_TIMEOUT_SECONDS, RepositoryLock
from parallel_workers.adapters.local_forge.host import Host
from parallel_workers.errors import BaseBranchError, GitCommandError
from parallel_workers.pull_requests import PullRequest, PullRequestState


class Landings:
    """Looks into the clone, after fetching what it lacks; no ref is made but the base's tracking ref."""

    def __init__(self, repository: Path, credential: GitCredential | None) -> None:
        self._opened = replace(discover(repository), credential=credential)
        self._lock = RepositoryLock(self._opened.common_dir / LOCK_FILE, DEFAULT_TIMEOUT_SECONDS)
        self._fetching = threading.Lock()

    def is_in_base(self, pull_request: PullRequest) -> bool:
        """Whether the merge commit, or by content all that the head changes, is in the base as it is now.

        A base that was deleted since cannot be looked at: then what GitHub says holds.

        Raises:
            GitCommandError: the remote cannot be reached.
        """
        merge_sha = pull_request.merge_sha if pull_request.state is PullRequestState.MERGED else None
        try:
            base = self._fetch_base(pull_request.base_branch)
        except BaseBranchError as gone:
            if merge_sha:
                logger.warning("#{} was merged as {}; its base is gone: {}", pull_request.number, merge_sha[:12], gone)
            return bool(merge_sha)
        if merge_sha and self._is_ancestor(merge_sha, base):
            return True
        # not merged by GitHub, or somebody rewrote the base after the merge
        host, head = self._host(), pull_request.head_sha
        if not self._bring(pull_request):
            return False
        ahead = find_ahead(host, base, [head])
        if head not in ahead.parents:
            return True
        return head in find_content(host, base, [head], ahead, [])

    def find_conflicts(self, pull_request: PullRequest) -> tuple[str, ...]:
        """Files in which head and base conflict; nothing when they do not, or when that cannot be found out."""
        try:
            base = self._fetch_base(pull_request.base_branch)
            if not self._bring(pull_request):
                return ()
            (merged,) = merge_trees(self._host(), [(base, pull_request.head_sha)])
        except (BaseBranchError, GitCommandError) as error:
            logger.warning("where #{} conflicts cannot be found out: {}", pull_request.number, error)
            return ()
        return merged.conflicts

    def _fetch_base(self, branch: str) -> str:
        with self._fetching:
            return fetch_base(self._opened, self._lock, branch)

    def _bring(self, pull_request: PullRequest) -> bool:
        """See to it that the head's commits are here. GitHub keeps them under a ref that outlives the branch."""
        if self._has(pull_request.head_sha):
            return True
        remote = self._opened.remote
        if remote is None:
            return False
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")
        self._opened.git_remote("fetch", *options, remote.url, f"refs/pull/{pull_request.number}/head")
        return self._has(pull_request.head_sha)

    def _has(self, sha: str) -> bool:
        return self._opened.ask("cat-file", "-e", f"{sha}^{{commit}}").code == 0

    def _is_ancestor(self, sha: str, base: str) -> bool:
        return self._has(sha) and self._opened.ask("merge-base", "--is-ancestor", sha, base).code == 0

    def _host(self) -> Host:
        opened: OpenedRepository = self._opened
        return Host(opened.common_dir, opened.common_dir, None, str(opened.path), opened.trusted_config)
