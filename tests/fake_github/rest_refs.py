"""Branches as git refs."""

from __future__ import annotations

from tests.fake_github.bare_git import HEADS
from tests.fake_github.calls import Answer, ApiError, Call, Router, not_found
from tests.fake_github.values import Json

router = Router()


def _ref_json(call: Call, branch: str, sha: str) -> Json:
    api = f"{call.server.api_url}/repos/{call.repository.full_name}/git"
    return {
        "ref": f"{HEADS}{branch}",
        "node_id": f"REF_{branch}",
        "url": f"{api}/{HEADS}{branch}",
        "object": {"type": "commit", "sha": sha, "url": f"{api}/commits/{sha}"},
    }


@router.add("GET /repos/{owner}/{repo}/git/ref/heads/{branch*}", answers="GitRef")
@router.add("GET /repos/{owner}/{repo}/git/refs/heads/{branch*}", answers="GitRef")
def get_ref(call: Call) -> Answer:
    """One branch, by its whole name. The second path is what links in answers use."""
    branch = call.path["branch"]
    sha = call.repository.branches.get(branch)
    if sha is None:
        raise not_found()
    return Answer(_ref_json(call, branch, sha))


@router.add("GET /repos/{owner}/{repo}/git/matching-refs/heads/{branch*}", answers="list[GitRef]")
def list_matching_refs(call: Call) -> Answer:
    """Branches that begin with this."""
    found = sorted(call.repository.branches.items())
    return Answer([_ref_json(call, name, sha) for name, sha in found if name.startswith(call.path["branch"])])


@router.add("DELETE /repos/{owner}/{repo}/git/refs/heads/{branch*}", answers=None)
def delete_ref(call: Call) -> Answer:
    """Deleting closes the open pull requests of the branch."""
    state, branch = call.writable("contents"), call.path["branch"]
    if branch not in state.branches:
        raise ApiError(422, "Reference does not exist")
    if branch in state.protections:
        raise ApiError(422, "Cannot delete this protected branch")
    state.git.update_refs([f"delete {HEADS}{branch}"])
    call.server.look_at_refs(state)
    return Answer(None, 204)
