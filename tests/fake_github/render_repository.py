"""A repository as GitHub writes it."""

from __future__ import annotations

from tests.fake_github.credentials import Caller
from tests.fake_github.render_accounts import user_json
from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Json

_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_NUMBERS = ("forks_count", "stargazers_count", "watchers_count", "forks", "watchers", "size")


def repository_json(url: str, state: RepositoryState) -> Json:
    """What is embedded in pull requests."""
    api = f"{url}/api/v3/repos/{state.full_name}"
    html = f"{url}/{state.full_name}"
    open_count = len(state.open_pulls())
    return {
        "id": state.id,
        "node_id": f"R_{state.id:08d}",
        "name": state.name,
        "full_name": state.full_name,
        "owner": user_json(url, state.owner),
        "private": state.is_private,
        "html_url": html,
        "description": None,
        "fork": False,
        "url": api,
        **{name: f"{api}{path}" for name, path in _LINKS.items()},
        "git_url": f"git://127.0.0.1/{state.full_name}.git",
        "ssh_url": f"git@127.0.0.1:{state.full_name}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        **dict.fromkeys(_NUMBERS, 0),
        "default_branch": state.default_branch,
        "open_issues_count": open_count,
        "open_issues": open_count,
        **{
            f"has_{what}": what in {"issues", "wiki"} for what in ("issues", "projects", "wiki", "pages", "discussions")
        },
        "archived": False,
        "disabled": False,
        "visibility": "private" if state.is_private else "public",
        "license": None,
        "topics": [],
        "pushed_at": state.pushed_at,
        "created_at": state.created_at,
        "updated_at": state.created_at,
    }


def full_repository_json(url: str, state: RepositoryState, caller: Caller) -> Json:
    """What `GET /repos/O/R` answers: merge settings only to who may write."""
    found = repository_json(url, state) | {"subscribers_count": 0, "network_count": 0}
    if caller.account is not None:
        found["permissions"] = {
            "admin": caller.may(state, "admin"),
            "maintain": caller.may(state, "admin"),
            "push": caller.may(state, "write"),
            "triage": caller.may(state, "write"),
            "pull": True,
        }
    if caller.may(state, "write"):
        settings = state.settings
        found |= {
            "allow_merge_commit": settings.allow_merge_commit,
            "allow_squash_merge": settings.allow_squash_merge,
            "allow_rebase_merge": settings.allow_rebase_merge,
            "allow_auto_merge": settings.allow_auto_merge,
            "delete_branch_on_merge": settings.delete_branch_on_merge,
            "allow_update_branch": False,
        }
    return found
