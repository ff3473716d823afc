"""Auto-merge, drafts and the merge queue, which only GraphQL can change."""

from __future__ import annotations

import pytest
from github import GithubException

from tests.fake_github.ci import CheckReport
from tests.fake_github.hub import Hub


def refusal(hub: Hub, **wish: str) -> str:
    with pytest.raises(GithubException) as caught:
        hub.remote.get_pull(1).enable_automerge(merge_method="MERGE", **wish)
    return str(caught.value.data["errors"][0]["message"])


def test_what_is_refused(hub: Hub) -> None:
    hub.open("feature/a")
    assert "Auto merge is not allowed for this repository" in refusal(hub)
    hub.repository.allow(allow_auto_merge=True)
    assert "Protected branch rules not configured" in refusal(hub)
    hub.repository.protect()
    assert "Pull request is in clean status" in refusal(hub)
    hub.repository.set_check(1, "optional", "failure")
    assert "Pull request is in unstable status" in refusal(hub)
    hub.repository.protect(required_checks=["ci"])
    assert "expected head sha" in refusal(hub, expected_head_oid="0" * 40)


def test_it_merges_when_the_checks_turn_green(hub: Hub) -> None:
    hub.repository.allow(allow_auto_merge=True)
    hub.repository.protect(required_checks=["ci"], required_reviews=1)
    hub.open("feature/a").enable_automerge(merge_method="SQUASH")
    assert hub.remote.get_pull(1).auto_merge["merge_method"] == "squash"
    hub.repository.set_check(1, "ci", "failure")
    hub.repository.review(1, "ann", "APPROVED")
    assert not hub.remote.get_pull(1).merged
    hub.repository.set_check(1, "ci", "success")
    assert hub.remote.get_pull(1).merged


def test_it_can_be_taken_back(hub: Hub) -> None:
    hub.repository.allow(allow_auto_merge=True)
    hub.repository.protect(required_checks=["ci"])
    pull = hub.open("feature/a")
    pull.enable_automerge(merge_method="MERGE")
    pull.disable_automerge()
    hub.repository.set_check(1, "ci")
    assert not hub.remote.get_pull(1).merged
    assert not hub.remote.get_pull(1).auto_merge


def test_ci_decided_by_the_tree_and_in_time(hub: Hub) -> None:
    hub.repository.protect(required_checks=["ci"])
    hub.repository.set_ci(
        lambda head: [CheckReport("ci", "failure" if head.read("bad.txt") else "success", 5, log="it is bad")]
    )
    hub.open("feature/a", {"bad.txt": "x"})
    assert hub.known(1).mergeable_state == "blocked"
    (run,) = hub.repository.state.checks_of(hub.repository.pull(1).head_sha)
    assert run.status == "in_progress"
    hub.server.clock.advance(6)
    hub.remote.get_pull(1)
    assert (run.status, run.conclusion, run.report.log) == ("completed", "failure", "it is bad")
    hub.git(hub.clone, "rm", "--quiet", "bad.txt")
    hub.push("feature/a", {"good.txt": "y"}, start="HEAD")
    hub.server.clock.advance(6)
    assert hub.known(1).mergeable_state == "clean"


def test_drafts_become_ready(hub: Hub) -> None:
    hub.push("feature/a")
    pull = hub.remote.create_pull(title="t", head="feature/a", base="main", draft=True)
    pull.mark_ready_for_review()
    assert not hub.remote.get_pull(1).draft
    pull.convert_to_draft()
    assert hub.remote.get_pull(1).draft


def test_a_merge_queue(hub: Hub) -> None:
    hub.repository.allow(allow_auto_merge=True, has_merge_queue=True)
    hub.open("feature/a")
    with pytest.raises(GithubException, match="merge queue"):
        hub.remote.get_pull(1).merge()
    hub.remote.get_pull(1).enable_automerge(merge_method="MERGE")
    assert hub.repository.pull(1).is_queued
    hub.repository.drop_from_queue(1)
    assert (hub.remote.get_pull(1).state, hub.repository.pull(1).is_queued) == ("open", False)
    assert hub.known(1).mergeable_state == "blocked", "by the queue alone"
    hub.repository.allow(allow_auto_merge=False)
    with pytest.raises(GithubException, match="not allowed"):
        hub.remote.get_pull(1).enable_automerge(merge_method="MERGE")
    query = "mutation($id: ID!) { enqueuePullRequest(input: {pullRequestId: $id}) { mergeQueueEntry { id } } }"
    named = {"id": hub.repository.pull(1).node_id}
    hub.client.requester.graphql_query(query, named)
    with pytest.raises(GithubException, match="already in the queue"):
        hub.client.requester.graphql_query(query, named)
    hub.repository.finish_queue(1)
    assert hub.remote.get_pull(1).merged
