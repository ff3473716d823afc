"""Pull requests as GitHub writes them, in lists and alone."""

from __future__ import annotations

from typing import Any

from tests.fake_github.mergeability import merge_state, read_mergeable, trial_merge
from tests.fake_github.render_accounts import label_json, milestone_json, user_json
from tests.fake_github.render_repository import repository_json
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account, Json, Pull


class PullRenderer:
    """Writes pull requests of one repository; renders what they share once."""

    def __init__(self, url: str, state: RepositoryState) -> None:
        self._url = url
        self._state = state
        self._api = f"{url}/api/v3/repos/{state.full_name}"
        self._repository = repository_json(url, state)

    def listed(self, pull: Pull) -> Json:
        """An item of a list: without `merged`, `mergeable` and the counts."""
        return {
            "id": pull.id,
            "node_id": pull.node_id,
            **self._links(pull),
            "number": pull.number,
            "state": pull.state,
            "locked": False,
            "title": pull.title,
            "user": self._user(pull.author),
            "body": pull.body,
            "created_at": pull.created_at,
            "updated_at": pull.updated_at,
            "closed_at": pull.closed_at,
            "merged_at": pull.merged_at,
            "merge_commit_sha": pull.merge_sha or pull.test_merge_sha,
            "assignee": self._user(pull.assignees[0]) if pull.assignees else None,
            "assignees": [self._user(one) for one in pull.assignees],
            "requested_reviewers": [self._user(one) for one in pull.reviewers],
            "requested_teams": [],
            "labels": [label_json(self._api, self._state.labels[key]) for key in pull.label_keys],
            "milestone": self._milestone(pull),
            "draft": pull.is_draft,
            "head": self._branch(pull.head_branch, pull.head_sha),
            "base": self._branch(pull.base_branch, pull.base_sha),
            "author_association": "OWNER" if pull.author == self._state.owner else "CONTRIBUTOR",
            "auto_merge": self._auto_merge(pull),
            "active_lock_reason": None,
        }

    def alone(self, pull: Pull) -> Json:
        """The whole of it. Reading it starts the job that finds out whether it can be merged."""
        mergeable = read_mergeable(self._state, pull)
        trial_merge(self._state, pull)
        return self.told(pull, mergeable=mergeable)

    def told(self, pull: Pull, *, mergeable: bool | None) -> Json:
        """The whole of it with this answer about `mergeable`: null when it was just created."""
        return self.listed(pull) | {
            "merged": pull.merged_at is not None,
            "mergeable": mergeable,
            "rebaseable": mergeable,
            "mergeable_state": merge_state(self._state, pull, mergeable=mergeable),
            "merged_by": self._user(pull.merged_by) if pull.merged_by else None,
            "comments": len(pull.comments),
            "review_comments": sum(len(thread.comments) for thread in pull.threads),
            "maintainer_can_modify": False,
            **self.size(pull),
        }

    def size(self, pull: Pull) -> Json:
        """Commits, files and lines."""
        git, base = self._state.git, pull.base_sha
        if pull.state == "open":
            base = self._state.branches.get(pull.base_branch, base)
        stat = git.run("diff", "--numstat", git.fork_point(base, pull.head_sha), pull.head_sha).splitlines()
        lines = [[int(word) if word.isdecimal() else 0 for word in line.split("\t")[:2]] for line in stat]
        return {
            "commits": len(git.commits(pull.head_sha, f"^{base}")),
            "additions": sum(added for added, _ in lines),
            "deletions": sum(deleted for _, deleted in lines),
            "changed_files": len(lines),
        }

    def _user(self, account: Account) -> Json:
        return user_json(self._url, account)

    def _milestone(self, pull: Pull) -> Json | None:
        if pull.milestone is None:
            return None
        return milestone_json(self._url, self._state, self._state.milestones[pull.milestone])

    def _auto_merge(self, pull: Pull) -> Json | None:
        if pull.auto_merge is None:
            return None
        return {
            "enabled_by": self._user(pull.auto_merge.enabled_by),
            "merge_method": pull.auto_merge.method,
            "commit_title": pull.auto_merge.title or "",
            "commit_message": pull.auto_merge.message or "",
        }

    def _branch(self, name: str, sha: str) -> Json:
        owner = self._state.owner
        return {
            "label": f"{owner.login}:{name}",
            "ref": name,
            "sha": sha,
            "user": self._user(owner),
            "repo": self._repository,
        }

    def _links(self, pull: Pull) -> Json:
        html = f"{self._url}/{self._state.full_name}/pull/{pull.number}"
        api, issue = f"{self._api}/pulls/{pull.number}", f"{self._api}/issues/{pull.number}"
        links: dict[str, Any] = {
            "url": api,
            "html_url": html,
            "issue_url": issue,
            "commits_url": f"{api}/commits",
            "review_comments_url": f"{api}/comments",
            "review_comment_url": f"{self._api}/pulls/comments{{/number}}",
            "comments_url": f"{issue}/comments",
            "statuses_url": f"{self._api}/statuses/{pull.head_sha}",
        }
        short = {name.removesuffix("_url"): {"href": href} for name, href in links.items() if name != "url"}
        more = {"diff_url": f"{html}.diff", "patch_url": f"{html}.patch"}
        return links | more | {"_links": short | {"self": {"href": api}}}
