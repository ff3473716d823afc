"""What the flows need from the world, as narrow Protocols. Adapters carry them out; tests bring fakes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from parallel_workers.agent_runs import AgentCommand, AgentResult
from parallel_workers.pull_request_snapshots import Check, PullRequestSnapshot
from parallel_workers.pull_requests import MergeAttempt, PullRequest, PullRequestDraft
from parallel_workers.spec import MergeMethod
from parallel_workers.worktrees import (
    BranchWork,
    EnsuredWorktree,
    ForgottenWorktree,
    Joined,
    Worktree,
    WorktreePlan,
    WorktreeStatus,
)

LineSink = Callable[[str], None]
"""Called with each line of an agent's output, without its newline; must return quickly."""


class GitRepository(Protocol):
    """One repository on this machine and its linked worktrees. Blocking: call it in a thread."""

    @property
    def path(self) -> Path:
        """The main checkout, or the bare repository itself."""
        ...

    @property
    def identity(self) -> str:
        """What names this repository on any machine: its remote's URL without credentials, else its path."""
        ...

    def fetch_base(self, base_branch: str) -> str:
        """Bring the base up to date from the remote, if there is one; answer its commit sha.

        Raises:
            BaseBranchError: no such branch, or it has no commit yet.
        """
        ...

    def ensure_worktree(self, plan: WorktreePlan) -> EnsuredWorktree:
        """Make branch and worktree, or adopt what an earlier run of the same worker left.

        Raises:
            WorktreeConflictError: the path or the branch exists and is not this worker's.
        """
        ...

    def list_worktrees(self) -> tuple[Worktree, ...]:
        """Every linked worktree (not the main checkout)."""
        ...

    def get_status(self, worktree: Path, base_sha: str) -> WorktreeStatus:
        """What the worktree holds beyond `base_sha`."""
        ...

    def hold_branch(self, worktree: Path, branch: str) -> None:
        """Return if the worktree is on its branch; one that was deleted under it comes back where it was.

        Raises:
            AgentFailedError: the worktree is gone, or on another branch. Nothing was changed.
        """
        ...

    def commit_all(self, worktree: Path, message: str) -> str | None:
        """Commit everything uncommitted (ignored files stay out); the new sha, or None when clean."""
        ...

    def get_branch_work(self, branch: str, base_sha: str) -> BranchWork:
        """The commits and changes of `branch` since it left `base_sha`'s history."""
        ...

    def push_branch(self, branch: str) -> str:
        """Push the branch to the remote, never over somebody else's commits; the sha that is there now.

        Without a remote it answers the branch's sha.

        Raises:
            ForeignCommitsError: the remote's branch has commits that ours has not.
        """
        ...

    def bring_up_to_remote(self, worktree: Path, branch: str, pushed_sha: str = "") -> Joined:
        """Take into the worktree what others pushed to the remote's branch on top of what we pushed (`pushed_sha`).

        Commits of ours that were not pushed yet stay: theirs are merged into them. Without a remote, or a branch
        there, nothing happens.

        Raises:
            RewrittenBranchError: the remote's branch no longer holds what we pushed; nothing is changed.
        """
        ...

    def merge_base_into(self, worktree: Path, branch: str, base_branch: str) -> Joined:
        """Bring the base up to date and merge it into the worktree's branch; files in conflict are left with markers.

        Again after a merge that was left unfinished: what of it is still in conflict.
        """
        ...

    def find_conflicts(self, worktree: Path, base_sha: str) -> tuple[str, ...]:
        """Files of the worktree still in conflict: undecided, or with markers that `base_sha` does not have."""
        ...

    def find_fork(self, branch: str, base_branch: str) -> str:
        """The newest commit of the base, as it was fetched last, that `branch` has."""
        ...

    def remove_worktree(self, worktree: Path, *, force: bool = False, worker: str | None = None) -> str | None:
        """Remove a linked worktree; with work in it only when `force`: the rescue ref it was saved to.

        Its branch stays. Stashes made on the branch and ignored files the user listed are saved either way. With
        `worker`, only while it is that worker's.

        Raises:
            UnsavedWorkError: it holds work and `force` is False, or work that cannot be saved.
            WorktreeConflictError: it is locked and `force` is False, or the folder is not that worktree, or another
                worker's.
        """
        ...

    def remove_worker(self, plan: WorktreePlan, head_sha: str, *, was_pushed: bool = False) -> str | None:
        """After a merge: remove worktree, branch (here and on the remote, while still at `head_sha`) and mark.

        `was_pushed`: the branch is on the remote, though maybe another machine pushed it. Gone already is well too.
        Answers the rescue ref, if something had to be saved: work in the worktree, or commits that the base has not.
        A worktree that must not be removed is kept, with a warning, and its branch with it.
        """
        ...

    def prune(self) -> tuple[ForgottenWorktree, ...]:
        """Forget linked worktrees whose folder is gone; what git still knew of them is saved first."""
        ...

    def read_base_file(self, base_sha: str, name: str) -> str | None:
        """Text of a file as the base commit has it, or None."""
        ...


class Forge(Protocol):
    """Where pull requests live. Blocking: call it in a thread. Every method may be called twice."""

    def ensure_pull_request(self, draft: PullRequestDraft) -> PullRequest:
        """The open pull request of this worker, made if there is none; head, title and body brought up to date.

        Raises:
            ForgeError: base or head is not there, or the branch has an open one of another worker; the message says
                what to do.
        """
        ...

    def fetch_pull_request(self, number: int) -> PullRequest:
        """One pull request. Raises ForgeError when there is none with this number."""
        ...

    def fetch_pull_requests(self, *, include_ended: bool = False) -> tuple[PullRequest, ...]:
        """One look at all: open ones and, when asked, merged and closed ones. Notices merges made with plain git."""
        ...

    def find_pull_requests(self, worker: str, head_branch: str) -> tuple[PullRequest, ...]:
        """Those with this worker's mark on this branch, ended ones too, by number; it costs what one look costs."""
        ...

    def look(self, numbers: Collection[int], *, at_once: bool = False) -> Mapping[int, PullRequestSnapshot]:
        """One shared look at the pull requests with these numbers, ended ones too; one costs what a thousand cost.

        A forge with a limit may answer what it saw last, unless asked to look `at_once`. A number that it does not
        know is left out.
        """
        ...

    def waits_for_forge(self) -> str:
        """Why this forge is not asked at the moment (its limit is used up until hh:mm); '' when it is."""
        ...

    def hindrance(self) -> str:
        """Why looks tell less or later than they should; '' when nothing hinders. What they tell holds all the same."""
        ...

    def merge_pull_request(self, number: int, method: MergeMethod, head_sha: str | None = None) -> MergeAttempt:
        """Merge into the base, or say why not. A merged one answers MERGED again, a lasting no REFUSED.

        With `head_sha`, only while that is the head: WAIT when it has moved.
        """
        ...

    def enable_auto_merge(self, number: int, method: MergeMethod, head_sha: str) -> str:
        """Let the forge merge by itself as soon as it may; '' when it will, else why it does not."""
        ...

    def disable_auto_merge(self, number: int) -> str:
        """Take `enable_auto_merge` back, and leave the forge's queue; '' when it is off now, else why it is not."""
        ...

    def update_branch(self, number: int, head_sha: str) -> str:
        """Merge the base into the branch on the forge, if its head still is `head_sha`; '' when done, else why not."""
        ...

    def fetch_check_log(self, check: Check, max_chars: int) -> str:
        """The end of what a failed check said, at most `max_chars` characters; '' when it left nothing to read."""
        ...

    def ask_for_human(self, number: int, text: str) -> None:
        """Say once on the pull request that a person is needed and why, and label it NEEDS_HUMAN_LABEL."""
        ...

    def close_pull_request(self, number: int, reason: str = "") -> PullRequest:
        """Close without merging; the branch stays."""
        ...

    def is_content_in_base(self, pull_request: PullRequest) -> bool:
        """Whether what the pull request changes is in its base now, by content and not only by ancestry.

        Of a base that was deleted since: whether it was merged.
        """
        ...


class AgentRunner(Protocol):
    """Runs an agent to its end. Blocking: call it in a thread of its own."""

    def run(self, command: AgentCommand, on_line: LineSink, cancel: threading.Event) -> AgentResult:
        """Run until it ends, times out, stalls, or `cancel` is set; nothing it started is left running.

        Raises:
            AgentNotFoundError: the program is missing or not executable.
        """
        ...

    def end_leftovers(self, folder: Path, tag: str) -> int | None:
        """End what the agent of an engine that was killed left running. Only for who holds the worker's lock.

        `folder` is that of the run's log files, `tag` the worker. How many processes had to be ended, waiting for its
        own supervisor to do so first; None: no agent was left behind.
        """
        ...
