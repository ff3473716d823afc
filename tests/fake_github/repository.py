"""What a test does with a repository of the fake: as its owner, its reviewers, its CI, and people with clones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tests.fake_github.bare_git import HEADS, ZERO
from tests.fake_github.checks import report_check, report_status
from tests.fake_github.ci import CheckReport, Decide
from tests.fake_github.labelling import put_labels
from tests.fake_github.merging import MergeWish, merge
from tests.fake_github.person import Person
from tests.fake_github.pushes import close
from tests.fake_github.seeding import seed_pulls
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import CheckRun, Protection, Pull, Review, ReviewComment, Thread

if TYPE_CHECKING:
    from tests.fake_github.server import FakeGitHub


class FakeRepository:
    """Test-side controls; every one acts at once."""

    def __init__(self, server: FakeGitHub, state: RepositoryState) -> None:
        self.server = server
        self.state = state
        clone = server.folder / "people" / f"{state.owner.login}-{state.name}"
        self._person = Person("person", state.git.path, clone)

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return self.state.full_name

    @property
    def clone_url(self) -> str:
        """Where git clones it from; without any credential."""
        return f"{self.server.url}/{self.full_name}.git"

    @property
    def pulls(self) -> dict[int, Pull]:
        """Pull requests by number, as they are now."""
        self.server.refresh(self.state)
        return self.state.pulls

    def pull(self, number: int) -> Pull:
        """One pull request, as it is now."""
        return self.pulls[number]

    def branches(self) -> dict[str, str]:
        """Sha of each branch."""
        self.server.refresh(self.state)
        return dict(self.state.branches)

    def allow(self, **settings: bool) -> None:
        """Set fields of `Settings`, for example `allow(allow_auto_merge=True)`."""
        for name, chosen in settings.items():
            if not hasattr(self.state.settings, name):
                raise AttributeError(name)
            setattr(self.state.settings, name, chosen)

    def make_private(self) -> None:
        """Only who was given a permission sees it."""
        self.state.is_private = True

    def give(self, login: str, permission: str = "write") -> str:
        """A permission ('read', 'write', 'admin') to a user, and a token of theirs."""
        self.state.permissions[self.server.account(login).login] = permission
        return self.server.token(login)

    def conceal(self, login: str) -> None:
        """They hide that they are a member of the organisation; what they may do stays."""
        self.state.concealed.add(self.server.account(login).login)

    def protect(
        self,
        base: str = "main",
        *,
        required_checks: Iterable[str] = (),
        required_reviews: int = 0,
        strict_up_to_date: bool = False,
    ) -> None:
        """Rules of a base branch."""
        self.state.protections[base] = Protection(list(required_checks), required_reviews, strict_up_to_date)

    def set_ci(self, decide: Decide | None) -> None:
        """CI says what this function answers for each head of a pull request that is pushed from now on."""
        self.state.ci.decide_by(decide)

    def set_check(
        self, target: int | str, name: str, conclusion: str | None = "success", *, required: bool = False, log: str = ""
    ) -> CheckRun:
        """A check run on a pull request's head or a sha; with `conclusion` None it is in progress."""
        with self.server.world.lock:
            sha = self._sha(target)
            if required:
                rules = self.state.protections.setdefault(self._base(target), Protection())
                rules.required_checks = sorted({*rules.required_checks, name})
            status = "completed" if conclusion else "in_progress"
            run = report_check(self.state, sha, CheckReport(name, conclusion or "", log=log), status)
            self.server.refresh(self.state)
            return run

    def report(self, target: int | str, report: CheckReport) -> CheckRun:
        """A check run that is done, with all that it says: summary, text, annotations, another app than Actions."""
        with self.server.world.lock:
            run = report_check(self.state, self._sha(target), report)
            self.server.refresh(self.state)
            return run

    def set_status(self, target: int | str, context: str, state: str = "success") -> None:
        """A commit status on a pull request's head or a sha: error, failure, pending or success."""
        with self.server.world.lock:
            report_status(self.state, self._sha(target), context, state, self.state.owner)
            self.server.refresh(self.state)

    def push(
        self, branch: str, files: Mapping[str, str | None], message: str = "fix: by hand", *, force: bool = False
    ) -> str:
        """A person with a clone commits files onto a branch (None deletes one) and pushes; the new sha."""
        sha = self._person.push(branch, files, message, force=force)
        self.server.refresh(self.state)
        return sha

    def rename(self, name: str) -> None:
        """The owner renames the repository: 301 for reads, 307 for writes; git goes on."""
        self.server.rename(self.state, name)

    def lag_lists(self, seconds: float) -> None:
        """Lists tell of a new pull request only after so many seconds."""
        self.state.list_lag_seconds = seconds

    def review(self, number: int, user: str, state: str, body: str = "") -> Review:
        """Submit a review: APPROVED, CHANGES_REQUESTED or COMMENTED; it answers a request for review.

        A user who was given no permission has write access from then on: of others the review would not count.
        """
        with self.server.world.lock:
            pull, author = self.pull(number), self.server.account(user)
            self.state.permissions.setdefault(author.login, "write")
            stamp = self.server.clock.stamp()
            review = Review(next(self.server.world.ids), author, state, body, stamp, pull.head_sha)
            pull.reviews.append(review)
            pull.reviewers = [one for one in pull.reviewers if one != author]
            self.state.touch(pull)
            self.server.refresh(self.state)
            return review

    def dismiss(self, number: int, review: Review) -> None:
        """Somebody dismisses a review."""
        with self.server.world.lock:
            review.state = "DISMISSED"
            self.state.touch(self.pull(number))
            self.server.refresh(self.state)

    def comment_thread(self, number: int, user: str, path: str, line: int, body: str) -> Thread:
        """A comment on a line of the diff, by a review that only comments."""
        with self.server.world.lock:
            pull = self.pull(number)
            review = self.review(number, user, "COMMENTED")
            thread = Thread(next(self.server.world.ids), path, line, [])
            pull.threads.append(thread)
            self._say(pull, thread, review, body)
            return thread

    def reply(self, number: int, thread: Thread, user: str, body: str) -> None:
        """One more comment in a thread."""
        with self.server.world.lock:
            pull = self.pull(number)
            self._say(pull, thread, self.review(number, user, "COMMENTED"), body)

    def _say(self, pull: Pull, thread: Thread, review: Review, body: str) -> None:
        first = thread.comments[0].id if thread.comments else None
        number, stamp = next(self.server.world.ids), self.server.clock.stamp()
        said = ReviewComment(number, review.author, body, stamp, review.id, pull.head_sha, first)
        thread.comments.append(said)

    def resolve(self, thread: Thread) -> None:
        """The conversation is settled. It does not move the pull request's `updated_at`."""
        with self.server.world.lock:
            thread.is_resolved = True

    def close(self, number: int) -> None:
        """A person closes it."""
        with self.server.world.lock:
            close(self.state, self.pull(number))

    def merge(self, number: int, method: str = "merge", user: str = "") -> str:
        """A person merges it; the commit on the base."""
        with self.server.world.lock:
            person = self.server.account(user) if user else self.state.owner
            made = merge(self.state, self.pull(number), MergeWish(person, method))
            self.server.refresh(self.state)
            return made

    def switch_off_auto_merge(self, number: int) -> None:
        """A person does so on the page."""
        with self.server.world.lock:
            pull = self.pull(number)
            pull.auto_merge = None
            self.state.touch(pull)

    def take_label_off(self, number: int, name: str) -> None:
        """A person does so."""
        with self.server.world.lock:
            pull = self.pull(number)
            put_labels(self.state, pull, [key for key in pull.label_keys if key != name.lower()])

    def finish_queue(self, number: int) -> str:
        """The merge queue is done with a pull request and merges it; the commit on the base."""
        return self.merge(number, "merge")

    def drop_from_queue(self, number: int) -> None:
        """The merge queue failed: the pull request leaves it without being closed."""
        with self.server.world.lock:
            pull = self.pull(number)
            pull.is_queued, pull.auto_merge = False, None
            self.state.touch(pull)

    def delete_branch(self, branch: str) -> None:
        """A person deletes a branch."""
        self.set_branch(branch, ZERO)

    def set_branch(self, branch: str, sha: str) -> None:
        """A person moves a branch by force; ZERO deletes it."""
        with self.server.world.lock:
            verb = f"delete {HEADS}{branch}" if sha == ZERO else f"update {HEADS}{branch} {sha}"
            self.state.git.update_refs([verb])
            self.server.look_at_refs(self.state)

    def seed(self, count: int, *, user: str = "", base: str = "main") -> list[int]:
        """Many open pull requests at once, each with a branch and a commit of its own; their numbers."""
        with self.server.world.lock:
            author = self.server.account(user) if user else self.state.owner
            return seed_pulls(self.state, author, count, base)

    def _sha(self, target: int | str) -> str:
        return self.pull(target).head_sha if isinstance(target, int) else target

    def _base(self, target: int | str) -> str:
        return self.pull(target).base_branch if isinstance(target, int) else self.state.default_branch
