"""What is asked of GitHub's GraphQL API: little of many pull requests, or much of a few.

Points: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api. A query costs
the number of connections it opens, through all levels, divided by 100, at least 1.
"""

from __future__ import annotations

from collections.abc import Iterable

BRIEF_CHUNK = 50
"""Pull requests in a brief query: 2 connections for each make 100 in all, so 1 point."""
FULL_CHUNK = 5
"""Pull requests in a full query: 3 connections and 50 threads with one each make 53 for each, so 3 points.

Where there are more threads 100 are asked for: 103 for each, so at most 5 points.
"""

THREADS_MOST = 100
"""GitHub gives no more at once: the newest, of which the brief query tells all that are unresolved."""
_THREADS, _NEW_MEANWHILE = 50, 10

_SHARED_FIELDS = """
  id number state isDraft updatedAt headRefOid baseRefOid mergeable mergeStateStatus reviewDecision
  isInMergeQueue isMergeQueueEnabled autoMergeRequest { enabledAt }
  baseRef { target { oid ... on Commit { statusCheckRollup { state } } } }
"""
_BRIEF_FIELDS = f"""
  {_SHARED_FIELDS} statusCheckRollup {{ state }}
  reviews(last: 1, states: [APPROVED, CHANGES_REQUESTED, DISMISSED]) {{ totalCount }}
  reviewThreads(last: {THREADS_MOST}) {{ totalCount nodes {{ id isResolved }} }}
"""

BRIEF_QUERY = f"""
query($ids: [ID!]!) {{ rateLimit {{ cost }} nodes(ids: $ids) {{ ... on PullRequest {{ {_BRIEF_FIELDS} }} }} }}
"""

_FULL_FIELDS = (
    _SHARED_FIELDS
    + """
  statusCheckRollup { state contexts(first: 100) { pageInfo { hasNextPage } nodes {
    __typename
    ... on CheckRun { databaseId name status conclusion detailsUrl startedAt
      isRequired(pullRequestNumber: NUMBER)
      checkSuite { app { slug } workflowRun { event workflow { name } } } }
    ... on StatusContext { context state targetUrl isRequired(pullRequestNumber: NUMBER) }
  } } }
  reviews(last: 100, states: [APPROVED, CHANGES_REQUESTED, DISMISSED]) { nodes {
    id state body url author { __typename login } authorCanPushToRepository } }
  reviewThreads(last: THREADS) { totalCount nodes { id isResolved path line originalLine
    comments(last: 50) { nodes { id body url author { __typename login }
      pullRequestReview { authorCanPushToRepository } } } } }
"""
)


def full_query(asked: Iterable[tuple[int, str, int]]) -> str:
    """Everything about these pull requests, given as (number, node id, threads), each under the alias `p<number>`.

    Whether a check is required is asked with the number, which a variable cannot bring into a list of nodes.
    """
    parts = [
        f'p{number}: node(id: "{node_id}") {{ ... on PullRequest {{ {_fields(number, threads)} }} }}'
        for number, node_id, threads in asked
    ]
    return f"query {{ rateLimit {{ cost }} {' '.join(parts)} }}"


def _fields(number: int, threads: int) -> str:
    page = _THREADS if threads + _NEW_MEANWHILE <= _THREADS else THREADS_MOST
    return _FULL_FIELDS.replace("NUMBER", str(number)).replace("THREADS", str(page))


_HANDED_OVER = "isInMergeQueue isMergeQueueEnabled autoMergeRequest { enabledAt }"

ENABLE_AUTO_MERGE = f"""
mutation($input: EnablePullRequestAutoMergeInput!) {{
  enablePullRequestAutoMerge(input: $input) {{ pullRequest {{ {_HANDED_OVER} }} }}
}}
"""

ENTER_QUEUE = """
mutation($input: EnqueuePullRequestInput!) { enqueuePullRequest(input: $input) { mergeQueueEntry { id } } }
"""

DISABLE_AUTO_MERGE = """
mutation($input: DisablePullRequestAutoMergeInput!) {
  disablePullRequestAutoMerge(input: $input) { pullRequest { number } }
}
"""

LEAVE_QUEUE = """
mutation($input: DequeuePullRequestInput!) { dequeuePullRequest(input: $input) { mergeQueueEntry { id } } }
"""

AUTO_MERGE_QUERY = f"""
query($id: ID!) {{ rateLimit {{ cost }} node(id: $id) {{ ... on PullRequest {{ {_HANDED_OVER} }} }} }}
"""
