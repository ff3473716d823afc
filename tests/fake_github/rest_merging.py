"""Merge a pull request, or bring its branch up to date."""

from __future__ import annotations

from tests.fake_github.calls import Answer, Call, Router
from tests.fake_github.merging import MergeWish, merge, update_branch

router = Router()


@router.add(
    "PUT /repos/{owner}/{repo}/pulls/{number}/merge",
    answers="PullRequestMergeResult",
    takes="ReposOwnerRepoPullsPullNumberMergePutBody",
)
def merge_pull(call: Call) -> Answer:
    """Carried out in git at once."""
    state, pull, fields = call.writable("contents"), call.pull, call.fields
    title, message = fields.get("commit_title"), fields.get("commit_message")
    wish = MergeWish(call.account, fields.get("merge_method", "merge"), fields.get("sha"), title, message)
    made = merge(state, pull, wish)
    return Answer({"sha": made, "merged": True, "message": "Pull Request successfully merged"})


@router.add(
    "PUT /repos/{owner}/{repo}/pulls/{number}/update-branch",
    answers="ReposOwnerRepoPullsPullNumberUpdateBranchPutResponse202",
    takes="ReposOwnerRepoPullsPullNumberUpdateBranchPutBody",
)
def update_pull_branch(call: Call) -> Answer:
    """202: GitHub does it in the background, the fake at once."""
    state, pull = call.writable("contents"), call.pull
    update_branch(state, pull, call.fields.get("expected_head_sha"), call.account)
    call.server.usage.branch_updates += 1
    url = f"{call.server.api_url}/repos/{state.full_name}/pulls/{pull.number}"
    return Answer({"message": "Updating pull request branch.", "url": url}, 202)
