"""Accounts, labels and milestones as GitHub writes them."""

from __future__ import annotations

from urllib.parse import quote

from tests.fake_github.state import RepositoryState
from tests.fake_github.values import Account, Json, Label, Milestone

_LINKS = {
    "followers_url": "followers",
    "following_url": "following{/other_user}",
    "gists_url": "gists{/gist_id}",
    "starred_url": "starred{/owner}{/repo}",
    "subscriptions_url": "subscriptions",
    "organizations_url": "orgs",
    "repos_url": "repos",
    "events_url": "events{/privacy}",
    "received_events_url": "received_events",
}


def user_json(url: str, account: Account) -> Json:
    """A `SimpleUser`; `url` is the server's."""
    api = f"{url}/api/v3/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": f"U_{account.id:08d}",
        "avatar_url": f"{url}/avatars/{account.id}",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{url}/{account.login}",
        **{name: f"{api}/{path}" for name, path in _LINKS.items()},
        "type": account.kind,
        "site_admin": False,
    }


def label_json(api: str, label: Label) -> Json:
    """A label; `api` is the repository's URL."""
    return {
        "id": label.id,
        "node_id": f"LA_{label.id:08d}",
        "url": f"{api}/labels/{quote(label.name)}",
        "name": label.name,
        "color": label.color,
        "default": False,
        "description": label.description,
        "archived_at": None,
        "archived_by": None,
    }


def milestone_json(url: str, state: RepositoryState, milestone: Milestone) -> Json:
    """A milestone with its progress."""
    api = f"{url}/api/v3/repos/{state.full_name}/milestones/{milestone.number}"
    states = [pull.state for pull in state.pulls.values() if pull.milestone == milestone.number]
    return {
        "url": api,
        "html_url": f"{url}/{state.full_name}/milestone/{milestone.number}",
        "labels_url": f"{api}/labels",
        "id": milestone.id,
        "node_id": f"MI_{milestone.id:08d}",
        "number": milestone.number,
        "state": milestone.state,
        "title": milestone.title,
        "description": milestone.description,
        "creator": user_json(url, milestone.creator),
        "open_issues": states.count("open"),
        "closed_issues": states.count("closed"),
        "created_at": milestone.created_at,
        "updated_at": milestone.created_at,
        "closed_at": None,
        "due_on": None,
    }
