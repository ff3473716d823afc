"""Merging, carried out in real git."""

from __future__ import annotations

import pytest
from github import GithubException

from tests.fake_github.hub import Hub


def parents(hub: Hub, sha: str) -> list[str]:
    hub.git(hub.clone, "fetch", "--quiet", "origin")
    return hub.git(hub.clone, "rev-list", "--parents", "-1", sha).split()[1:]


def test_a_merge_commit(hub: Hub) -> None:
    head = hub.open("feature/a").head.sha
    base = hub.repository.branches()["main"]
    done = hub.remote.get_pull(1).merge(sha=head)
    assert parents(hub, done.sha) == [base, head]
    merged = hub.remote.get_pull(1)
    assert (merged.merged, merged.state, merged.merge_commit_sha) == (True, "closed", done.sha)
    assert merged.merged_by.login == "worker"
    assert hub.repository.branches()["main"] == done.sha


def test_a_squash_has_one_parent_and_the_whole_content(hub: Hub) -> None:
    hub.push("feature/a", {"one.txt": "1"})
    hub.open("feature/a", {"two.txt": "2"}, start="feature/a")
    base = hub.repository.branches()["main"]
    done = hub.remote.get_pull(1).merge(merge_method="squash", commit_title="All of it")
    assert parents(hub, done.sha) == [base]
    assert hub.git(hub.clone, "log", "-1", "--format=%s", done.sha) == "All of it"
    assert set(hub.git(hub.clone, "ls-tree", "--name-only", done.sha).split()) == {"README.md", "one.txt", "two.txt"}


def test_a_rebase_replays_each_commit(hub: Hub) -> None:
    hub.push("feature/a", {"one.txt": "1"})
    hub.open("feature/a", {"two.txt": "2"}, start="feature/a")
    hub.push("main", {"main.txt": "m"})
    base = hub.repository.branches()["main"]
    done = hub.remote.get_pull(1).merge(merge_method="rebase")
    (middle,) = parents(hub, done.sha)
    assert parents(hub, middle) == [base]


def refused(hub: Hub, **wish: str) -> tuple[int, str]:
    with pytest.raises(GithubException) as caught:
        hub.remote.get_pull(1).merge(**wish)  # type: ignore[arg-type]
    return caught.value.status, caught.value.data["message"]


def test_what_is_refused(hub: Hub) -> None:
    hub.open("feature/a")
    assert refused(hub, sha="0" * 40) == (409, "Head branch was modified. Review and try the merge again.")
    hub.repository.allow(allow_squash_merge=False)
    assert refused(hub, merge_method="squash") == (405, "Squash merges are not allowed on this repository.")
    hub.repository.state.base_modified_answers = 1
    assert refused(hub) == (405, "Base branch was modified. Review and try the merge again.")
    hub.repository.protect(required_checks=["ci"], required_reviews=1)
    assert refused(hub)[1].startswith('Required status check "ci" is expected. At least 1 approving review')
    hub.repository.set_check(1, "ci", "failure")
    hub.repository.review(1, "ann", "APPROVED")
    assert refused(hub) == (405, 'Required status check "ci" is failing.')
    hub.repository.set_check(1, "ci", "success")
    hub.remote.get_pull(1).merge()
    assert refused(hub) == (405, "Pull Request is not mergeable")


def test_a_conflict_and_a_draft_are_refused(hub: Hub) -> None:
    hub.open("feature/a", {"same.txt": "a"})
    hub.push("main", {"same.txt": "b"})
    assert refused(hub) == (405, "Pull Request is not mergeable")
    hub.repository.pull(1).is_draft = True
    assert refused(hub) == (405, "Pull Request is still a draft")


def test_states_by_rules(hub: Hub) -> None:
    hub.open("feature/a")
    hub.repository.protect(required_checks=["ci"], strict_up_to_date=True)
    assert hub.known(1).mergeable_state == "blocked"
    hub.repository.set_check(1, "ci")
    hub.repository.set_check(1, "optional", "failure")
    assert hub.known(1).mergeable_state == "unstable"
    hub.push("main", {"main.txt": "m"})
    assert hub.known(1).mergeable_state == "behind"
    assert refused(hub) == (405, 'Required status check "ci" is expected.')


def test_how_several_required_checks_are_told(hub: Hub) -> None:
    hub.open("feature/a")
    hub.repository.protect(required_checks=["ci", "lint", "docs"], strict_up_to_date=True)
    assert refused(hub) == (405, "3 of 3 required status checks are expected.")
    hub.repository.set_check(1, "ci", "failure")
    hub.repository.set_check(1, "docs")
    assert refused(hub) == (405, "2 of 3 required status checks have not succeeded: 1 expected and 1 failing.")
    hub.repository.set_check(1, "ci")
    hub.repository.set_check(1, "lint")
    hub.push("main", {"main.txt": "m"})
    assert refused(hub) == (405, "3 of 3 required status checks are expected.")


def test_only_reviews_of_who_may_write_count(hub: Hub) -> None:
    hub.repository.protect(required_reviews=1)
    hub.repository.give("reader", "read")
    hub.open("feature/a")
    hub.repository.review(1, "reader", "APPROVED")
    assert hub.known(1).mergeable_state == "blocked"
    hub.repository.review(1, "ann", "APPROVED")
    assert hub.known(1).mergeable_state == "clean"
    review = hub.repository.review(1, "bob", "CHANGES_REQUESTED")
    assert refused(hub) == (405, "Changes have been requested on this pull request.")
    hub.repository.review(1, "bob", "COMMENTED", "Hm.")
    assert hub.known(1).mergeable_state == "blocked"
    hub.repository.dismiss(1, review)
    assert hub.known(1).mergeable_state == "clean"


def test_updating_a_branch(hub: Hub) -> None:
    pull = hub.open("feature/a")
    head = pull.head.sha
    with pytest.raises(GithubException, match="no new commits"):
        update(hub, head)
    hub.push("main", {"main.txt": "m"})
    with pytest.raises(GithubException, match="expected head sha"):
        update(hub, "0" * 40)
    update(hub, head)
    assert parents(hub, hub.remote.get_pull(1).head.sha) == [head, hub.repository.branches()["main"]]
    assert hub.server.usage.branch_updates == 1


def update(hub: Hub, head: str) -> None:
    url = f"{hub.remote.url}/pulls/1/update-branch"
    hub.client.requester.requestJsonAndCheck("PUT", url, input={"expected_head_sha": head})


def test_updating_into_a_conflict(hub: Hub) -> None:
    hub.open("feature/a", {"same.txt": "a"})
    hub.push("main", {"same.txt": "b"})
    with pytest.raises(GithubException, match="merge conflict"):
        update(hub, hub.remote.get_pull(1).head.sha)


def test_the_branch_goes_on_merge_when_so_set(hub: Hub) -> None:
    hub.repository.allow(delete_branch_on_merge=True)
    hub.open("feature/a")
    hub.remote.get_pull(1).merge()
    assert "feature/a" not in hub.repository.branches()
    assert hub.remote.get_pull(1).merged
