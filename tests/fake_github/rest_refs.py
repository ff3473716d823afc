"""Branches as git refs."""

from __future__ import annotations

from tests.fake_github.bare_git import HEADS
from tests.fake_github.calls import Answer, ApiError, Call, Router, not_found
from tests.fake_github.pages import PAGING
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


def _branch(call: Call) -> str:
    """Name of the branch that the path means; the slashes in it may come percent-encoded."""
    ref = call.path["ref"]
    if not ref.startswith("heads/"):
        raise not_found()
    return ref.removeprefix("heads/")


@router.add("GET /repos/{owner}/{repo}/git/ref/{ref*}", answers="GitRef")
@router.add("GET /repos/{owner}/{repo}/git/refs/{ref*}", answers="GitRef")
def get_ref(call: Call) -> Answer:
    """One branch, by its whole name. The second path is what links in answers use."""
    branch = _branch(call)
    sha = call.repository.branches.get(branch)
    if sha is None:
        raise not_found()
    return Answer(_ref_json(call, branch, sha))


@router.add("GET /repos/{owner}/{repo}/git/matching-refs/{ref*}", answers="list[GitRef]", query=PAGING)
def list_matching_refs(call: Call) -> Answer:
    """Branches that begin with this."""
    found = sorted(call.repository.branches.items())
    return Answer([_ref_json(call, name, sha) for name, sha in found if name.startswith(_branch(call))])


@router.add("DELETE /repos/{owner}/{repo}/git/refs/{ref*}", answers=None)
def delete_ref(call: Call) -> Answer:
    """Deleting closes the open pull requests of the branch."""
    state, branch = call.writable("contents"), _branch(call)
    if branch not in state.branches:
        raise ApiError(422, "Reference does not exist")
    if branch in state.protections:
        raise ApiError(422, "Cannot delete this protected branch")
    state.git.update_refs([f"delete {HEADS}{branch}"])
    call.server.look_at_refs(state)
    return Answer(None, 204)
