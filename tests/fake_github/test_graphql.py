"""The GraphQL API through PyGithub."""

from __future__ import annotations

from typing import Any

import pytest
from github import GithubException, UnknownObjectException

from tests.fake_github.hub import Hub

WATCH = """
query Watch($ids: [ID!]!, $number: Int) {
  rateLimit { limit cost remaining resetAt used nodeCount }
  nodes(ids: $ids) {
    ... on PullRequest {
      id number state isDraft mergeable mergeStateStatus reviewDecision headRefOid baseRefOid baseRefName headRefName
      updatedAt mergedAt mergeCommit { oid } isInMergeQueue autoMergeRequest { enabledAt mergeMethod }
      baseRef { target { oid } }
      statusCheckRollup {
        state
        contexts(first: 50) {
          nodes {
            __typename
            ... on CheckRun { databaseId name status conclusion detailsUrl isRequired(pullRequestNumber: $number) }
            ... on StatusContext { context state targetUrl isRequired(pullRequestNumber: $number) }
          }
        }
      }
      reviews(first: 20) { nodes { id databaseId state body author { login __typename } submittedAt } }
      latestReviews(first: 20) { nodes { state author { login } } }
      reviewThreads(first: 20) {
        nodes {
          id isResolved path line
          comments(last: 1) { nodes { id databaseId body author { login __typename } url } }
        }
      }
      labels(first: 20) { nodes { name } }
    }
  }
}
"""


def ask(hub: Hub, query: str, **variables: Any) -> dict[str, Any]:
    _, body = hub.client.requester.graphql_query(query, variables)
    data: dict[str, Any] = body["data"]
    return data


def watch(hub: Hub, number: int) -> dict[str, Any]:
    (node,) = ask(hub, WATCH, ids=[hub.repository.pull(number).node_id], number=number)["nodes"]
    found: dict[str, Any] = node
    return found


def test_all_that_is_watched(hub: Hub) -> None:
    pull = hub.open("feature/a")
    first = watch(hub, 1)
    assert (first["mergeable"], first["mergeStateStatus"], first["statusCheckRollup"]) == ("UNKNOWN", "UNKNOWN", None)
    hub.repository.protect(required_checks=["ci"], required_reviews=1)
    run = hub.repository.set_check(1, "ci", "failure")
    hub.repository.set_status(1, "legacy/build", "pending")
    hub.repository.review(1, "ann", "CHANGES_REQUESTED", "Please not so.")
    thread = hub.repository.comment_thread(1, "robot", "a.txt", 1, "A typo.")
    pull.add_to_labels("phase:5")
    node = watch(hub, 1)
    assert (node["mergeable"], node["mergeStateStatus"]) == ("MERGEABLE", "BLOCKED")
    assert node["reviewDecision"] == "CHANGES_REQUESTED"
    assert node["statusCheckRollup"]["state"] == "FAILURE"
    check, status = node["statusCheckRollup"]["contexts"]["nodes"]
    assert (check["databaseId"], check["conclusion"], check["isRequired"]) == (run.id, "FAILURE", True)
    assert (status["context"], status["state"], status["isRequired"]) == ("legacy/build", "PENDING", False)
    assert [review["state"] for review in node["reviews"]["nodes"]] == ["CHANGES_REQUESTED", "COMMENTED"]
    (said,) = node["reviewThreads"]["nodes"]
    assert (said["isResolved"], said["path"], said["line"]) == (False, "a.txt", 1)
    assert said["comments"]["nodes"][0]["body"] == "A typo."
    assert node["labels"]["nodes"] == [{"name": "phase:5"}]
    hub.repository.resolve(thread)
    assert watch(hub, 1)["reviewThreads"]["nodes"][0]["isResolved"]


def test_many_are_found_mergeable_or_not_at_one_go(hub: Hub) -> None:
    for name in "abcd":
        hub.open(f"feature/{name}", {"same.txt" if name in "bc" else f"{name}.txt": f"{name}\n"})
    hub.push("main", {"same.txt": "other\n"})
    ids = [pull.node_id for pull in hub.repository.pulls.values()]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on PullRequest { mergeable } } }"
    first, second = (ask(hub, query, ids=ids)["nodes"] for _ in range(2))
    assert {node["mergeable"] for node in first} == {"UNKNOWN"}
    assert [node["mergeable"] for node in second] == ["MERGEABLE", "CONFLICTING", "CONFLICTING", "MERGEABLE"]


def test_a_merged_one(hub: Hub) -> None:
    hub.open("feature/a")
    sha = hub.repository.merge(1, "squash")
    node = watch(hub, 1)
    assert (node["state"], node["mergeCommit"], node["baseRef"]["target"]) == ("MERGED", {"oid": sha}, {"oid": sha})


def test_costs_by_the_formula(hub: Hub) -> None:
    numbers = hub.repository.seed(100)
    ids = [hub.repository.pull(number).node_id for number in numbers]
    plain = "query($ids: [ID!]!) { rateLimit { cost } nodes(ids: $ids) { ... on PullRequest { state mergeable } } }"
    assert ask(hub, plain, ids=ids)["rateLimit"]["cost"] == 1
    # rollup, reviews, latestReviews, threads and labels 100 times each; comments 100 * 20 times.
    assert ask(hub, WATCH, ids=ids)["rateLimit"]["cost"] == 25
    assert hub.server.usage.graphql_points == 26
    listed = (
        'query { rateLimit { cost } repository(owner: "octo", name: "project") { pullRequests(first: 100, states: OPEN)'
        " { totalCount pageInfo { hasNextPage endCursor } nodes { number } } } }"
    )
    assert ask(hub, listed)["rateLimit"]["cost"] == 1


def test_pages(hub: Hub) -> None:
    hub.repository.seed(5)
    query = (
        'query($after: String) { repository(owner: "octo", name: "project") { pullRequests(first: 3, after: $after,'
        " orderBy: {field: CREATED_AT, direction: DESC}) { totalCount pageInfo { hasNextPage endCursor }"
        " nodes { number } } } }"
    )
    first = ask(hub, query, after=None)["repository"]["pullRequests"]
    assert ([node["number"] for node in first["nodes"]], first["totalCount"]) == ([5, 4, 3], 5)
    second = ask(hub, query, after=first["pageInfo"]["endCursor"])["repository"]["pullRequests"]
    assert ([node["number"] for node in second["nodes"]], second["pageInfo"]["hasNextPage"]) == ([2, 1], False)


def test_a_node_that_is_gone_leaves_the_others_answered(hub: Hub) -> None:
    hub.open("feature/a")
    with pytest.raises(UnknownObjectException) as caught:
        ask(hub, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[hub.repository.pull(1).node_id, "PR_gone"])
    body = caught.value.data
    assert body["data"]["nodes"] == [{"id": hub.repository.pull(1).node_id}, None]
    assert (body["errors"][0]["type"], body["errors"][0]["path"]) == ("NOT_FOUND", ["nodes", 1])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("{ viewer { secret } }", "Cannot query field 'secret' on type 'User'."),
        (
            '{ repository(owner: "octo", name: "project") { pullRequests { totalCount } } }',
            "You must provide a `first`",
        ),
        ('{ repository(owner: "octo", name: "project") { pullRequests(first: 101) { totalCount } } }', "101 records"),
        ('{ repository(owner: "octo", name: "gone") { id } }', "Could not resolve to a Repository"),
        ("query { nope", "Syntax Error"),
    ],
)
def test_queries_that_github_refuses(hub: Hub, query: str, told: str) -> None:
    with pytest.raises(GithubException) as caught:
        ask(hub, query)
    assert told in caught.value.data["errors"][0]["message"]


def test_more_than_a_hundred_ids(hub: Hub) -> None:
    with pytest.raises(GithubException) as caught:
        ask(hub, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["PR_x"] * 101)
    assert "more than 100 node ids" in caught.value.data["errors"][0]["message"]


def test_points_run_out(hub: Hub) -> None:
    hub.server.limits.set("worker", "graphql", remaining=1)
    ask(hub, "{ viewer { login } }")
    with pytest.raises(GithubException) as caught:
        ask(hub, "{ viewer { login } }")
    assert caught.value.data["errors"][0]["type"] == "RATE_LIMITED"
    assert (caught.value.headers or {})["x-ratelimit-remaining"] == "0"
    hub.server.clock.advance(3601)
    assert ask(hub, "{ viewer { login } }") == {"viewer": {"login": "worker"}}


def test_the_schema_is_served_from_the_checkout(hub: Hub) -> None:
    query = '{ __type(name: "MergeableState") { enumValues { name } } }'
    names = {one["name"] for one in ask(hub, query)["__type"]["enumValues"]}
    assert names == {"CONFLICTING", "MERGEABLE", "UNKNOWN"}
