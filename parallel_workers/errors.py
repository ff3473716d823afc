"""Every error the product raises on purpose. Anything else is a bug and ends with exit code 3."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from parallel_workers.git_refusals import explain_refusal
from parallel_workers.remote_urls import redact_urls, without_credentials


class ParallelWorkersError(Exception):
    """An expected failure: one line for the user, and whether trying again may help.

    `transient` is what the retry condition of the Prefect tasks looks at; `exit_code` is what the
    command line ends with (1 a task or check failed, 2 wrong usage or bad spec).
    """

    exit_code = 1
    transient = False


class Problem(NamedTuple):
    """One thing wrong in a file the user wrote: where, what, and how to mend it."""

    file: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """`file:line: message (hint)`; the form editors and terminals make clickable."""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}: {self.message}{hint}"


class InvalidSpecError(ParallelWorkersError):
    """A batch or settings file does not hold; carries *all* problems found."""

    exit_code = 2

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class UsageError(ParallelWorkersError):
    """The command was given something that cannot be carried out as asked. `mend`: a command that mends it, or ''."""

    exit_code = 2

    def __init__(self, *said: str, mend: str = "") -> None:
        super().__init__(*said)
        self.mend = mend


class GitCommandError(ParallelWorkersError):
    """git ended non-zero. Carries the argument list, exit code and both outputs, all less what URLs hold of secrets."""

    def __init__(self, argv: tuple[str, ...], code: int, stdout: str, stderr: str) -> None:
        # an argument may be a URL as a whole, white space included, or hold some among other text
        self.argv = tuple(redact_urls(without_credentials(argument)) for argument in argv)
        self.code, self.stdout, self.stderr = code, redact_urls(stdout), redact_urls(stderr)
        self.transient = any(mark in stderr for mark in _TRANSIENT_GIT)
        said = (self.stderr or self.stdout).strip().splitlines()
        why = explain_refusal(argv[0] if argv else "", self.stdout, self.stderr)
        told = " / ".join(said[-4:])
        super().__init__(f"git {' '.join(self.argv[:3])} … ended {code}: {f'{why} ({told})' if why else told}")


# What git says when a second try may well work: locks held by another git, and the network.
_TRANSIENT_GIT = (
    "index.lock",
    "config.lock",
    "packed-refs.lock",
    ".lock': File exists",
    "cannot lock ref",
    "Could not resolve host",
    "Connection timed out",
    "Connection reset",
    "early EOF",
    "The remote end hung up",
    "remote end hung up unexpectedly",
    "Empty reply from server",
    "Failed to connect to",
    "Couldn't connect to server",
    "transfer closed with",
    "unexpected disconnect",
    *(f"The requested URL returned error: {status}" for status in (429, 500, 502, 503, 504)),
    *(f"RPC failed; HTTP {status}" for status in (429, 500, 502, 503, 504)),
)


class WorktreeConflictError(ParallelWorkersError):
    """A path or branch we need exists and is not ours. The message names it and the way out."""


class UnsavedWorkError(ParallelWorkersError):
    """Removing this would lose work; the message names what and how to save it."""


class RestoreFailedError(ParallelWorkersError):
    """A rescue could not be brought back; nothing half-made is left, and the rescue is as it was."""


class BaseBranchError(ParallelWorkersError):
    """The base branch is missing, unborn or no branch."""


class AgentFailedError(ParallelWorkersError):
    """The agent ended non-zero, timed out, stalled, or left no evidence of work."""


class AgentNotFoundError(ParallelWorkersError):
    """The agent's program is missing or not executable in the worker's PATH."""


class GateFailedError(ParallelWorkersError):
    """A gate still fails after the allowed number of rounds."""


class ForgeError(ParallelWorkersError):
    """The forge refused; `transient` when it may not refuse the next time."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        self.transient = transient
        super().__init__(message)


class ForgeBusyError(ForgeError):
    """The forge is not asked before `until` (aware): its limit is used up, or it told us to pause."""

    def __init__(self, message: str, until: datetime) -> None:
        self.until = until
        super().__init__(message, transient=True)


class MergeConflictError(ForgeError):
    """The pull request does not merge cleanly into its base; lists the files."""

    def __init__(self, message: str, files: tuple[str, ...]) -> None:
        self.files = files
        super().__init__(message)


class ForeignCommitsError(ForgeError):
    """The remote's branch has commits that are not in ours; nothing was overwritten."""


class ForeignPullRequestError(ForgeError):
    """The branch has an open pull request of another worker; it is left alone."""

    def __init__(self, number: int, branch: str, owner: str, worker: str) -> None:
        super().__init__(
            f"pull request #{number} of {branch} is {owner}'s, and this is {worker}: a task of the same id in another "
            "batch, or from when the repository had another address, opened it. It was left as it is; "
            f"close #{number} and run again, or give this task another id"
        )


class RewrittenBranchError(ForgeError):
    """Somebody rewrote the remote's branch: what we pushed is no longer in it. Nothing was changed or overwritten."""

    def __init__(self, branch: str, there: str, pushed: str) -> None:
        super().__init__(
            f"somebody rewrote {branch} on the remote: it is at {there[:12]}, which does not contain what was pushed "
            f"for this task ({pushed[:12]}). Nothing was overwritten, and the work is kept in the worktree"
        )


class RepositoryLockedError(ParallelWorkersError):
    """Another process holds the repository's lock for too long; the message names the lock file."""

    transient = True


class UntrustedConfigError(ParallelWorkersError):
    """The shared git config gained settings that run programs or redirect git; the message names them."""


class TransitionError(ParallelWorkersError):
    """A worker state change that the lifecycle does not allow; names the allowed ones."""

    exit_code = 2


class ServerError(ParallelWorkersError):
    """The Prefect server cannot be started or reached."""


class StoppedError(ParallelWorkersError):
    """The worker was told to stop (Ctrl-C, Cancel, `terminate`). Nothing is lost; running again goes on."""
