"""One repository on GitHub, as verbs: get, list, change, GraphQL. Paths are relative to the repository."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from parallel_workers.adapters.github.answers import Answer, RefusedError
from parallel_workers.adapters.github.connection import Connection, Request
from parallel_workers.adapters.github.limiter import Kind
from parallel_workers.adapters.github.timing import Timing
from parallel_workers.errors import ForgeError
from parallel_workers.spec import MergeMethod

Json = dict[str, Any]
PER_PAGE = 100

_MOVED = {301, 307, 308}
_FACTS_SECONDS = 600.0
_ALLOWED = {
    MergeMethod.MERGE: "allow_merge_commit",
    MergeMethod.SQUASH: "allow_squash_merge",
    MergeMethod.REBASE: "allow_rebase_merge",
}


class RepositoryFacts(NamedTuple):
    """What GitHub says of the repository. Without write access it leaves out how one may merge: then all ways are."""

    full_name: str
    owner: str
    default_branch: str
    allowed_methods: tuple[MergeMethod, ...]
    can_auto_merge: bool


class GraphProblem(NamedTuple):
    """An error beside a GraphQL answer: GitHub's `type`, and where in the data null stands for what was asked."""

    kind: str
    path: tuple[str | int, ...]


class GraphAnswer(NamedTuple):
    """Data of a GraphQL answer, which may be partial; `errors` are GitHub's words, `cost` the points it took."""

    data: Json
    errors: tuple[str, ...]
    cost: int
    problems: tuple[GraphProblem, ...] = ()


class RepositoryApi:
    """Calls for one repository. Safe for many threads.

    Its name is the one GitHub answers with: under a former name writes would be redirected and not be done.
    """

    def __init__(self, connection: Connection, full_name: str) -> None:
        self.connection = connection
        self._asked_name = full_name
        self._lock = threading.Lock()
        self._facts: RepositoryFacts | None = None
        self._facts_at = 0.0

    @property
    def timing(self) -> Timing:
        """The connection's clock."""
        return self.connection.timing

    @property
    def place(self) -> str:
        """How a person would name the repository."""
        facts = self._facts
        return facts.full_name if facts else self._asked_name

    @property
    def facts(self) -> RepositoryFacts:
        """Read once, and again after some minutes: settings change. Raises ForgeError when there is no access."""
        with self._lock:
            now = self.timing.now()
            if self._facts is None or now - self._facts_at > _FACTS_SECONDS:
                request = Request(
                    f"look at {self.place}", Kind.READ, "GET", f"/repos/{self._asked_name}", repeatable=True
                )
                self._facts = _read_facts(self.connection.ask(request).body)
                self._facts_at = now
            return self._facts

    def get(self, what: str, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The body of a GET. Raises RefusedError."""
        return self._good(what, self.read(what, path, parameters)).body

    def find(self, what: str, path: str) -> Any:
        """The body of a GET, or None when there is no such thing. Raises RefusedError."""
        answer = self.read(what, path)
        return None if answer.status == 404 else self._good(what, answer).body

    def read(
        self,
        what: str,
        path: str,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a GET, refusals and 304 included; `path` may be a page's `next_url` too."""
        return self._call(Request(what, Kind.READ, "GET", path, parameters, headers=headers, repeatable=True))

    def pages(self, what: str, path: str, parameters: Mapping[str, str] | None = None) -> Iterator[list[Json]]:
        """The pages of a list, one request each. Raises RefusedError."""
        answer = self._good(what, self.read(what, path, {"per_page": str(PER_PAGE), **(parameters or {})}))
        yield answer.body
        while answer.next_url:
            answer = self._good(what, self.read(what, answer.next_url))
            yield answer.body

    def change(self, what: str, path: str, body: Any, verb: str = "PATCH") -> Any:
        """A write that comes to the same when done twice; its answer's body. Raises RefusedError."""
        kind = Kind.CREATE if verb == "POST" else Kind.WRITE
        return self._good(what, self._call(Request(what, kind, verb, path, body=body, repeatable=True))).body

    def create(self, what: str, path: str, body: Any) -> Answer:
        """A write that must not be done twice; the answer, refusals too. Raises UnknownOutcomeError."""
        return self._call(Request(what, Kind.CREATE, "POST", path, body=body))

    def put(self, what: str, path: str, body: Any) -> Answer:
        """The same for what is no new thing: a merge, an update of a branch."""
        return self._call(Request(what, Kind.WRITE, "PUT", path, body=body))

    def query(
        self, what: str, text: str, variables: Mapping[str, Any] | None = None, *, is_tried_once: bool = False
    ) -> GraphAnswer:
        """A GraphQL query. What it could not answer is missing in the data, with an error beside it.

        Raises:
            RefusedError: it answered no data at all.
        """
        return self._graph(self._graph_request(what, Kind.GRAPHQL, text, variables, is_tried_once=is_tried_once))

    def mutate(self, what: str, text: str, variables: Mapping[str, Any]) -> GraphAnswer:
        """A GraphQL mutation that comes to the same when done twice; look at `errors`."""
        return self._graph(self._graph_request(what, Kind.MUTATION, text, variables))

    def _graph_request(
        self, what: str, kind: Kind, text: str, variables: Mapping[str, Any] | None, *, is_tried_once: bool = False
    ) -> Request:
        body = {"query": text, "variables": dict(variables or {})}
        url = self.connection.hosts.graphql_url
        return Request(what, kind, "POST", url, body=body, repeatable=True, is_tried_once=is_tried_once)

    def _graph(self, request: Request) -> GraphAnswer:
        what, answer = request.what, self.connection.ask(request)
        if not isinstance(answer.body, dict) or ("data" not in answer.body and "errors" not in answer.body):
            raise ForgeError(f"{what}: GitHub's GraphQL answered no JSON", transient=True)
        data = answer.body.get("data") or {}
        listed = answer.body.get("errors") or ()
        errors = tuple(str(error.get("message", "")) for error in listed)
        problems = tuple(GraphProblem(str(error.get("type")), tuple(error.get("path") or ())) for error in listed)
        if not data and errors and request.kind is Kind.GRAPHQL:
            raise RefusedError(what, answer)
        return GraphAnswer(data, errors, int((data.get("rateLimit") or {}).get("cost") or 1), problems)

    def is_renamed(self) -> bool:
        """Ask GitHub for the name again; whether it is another one than before."""
        before = self.facts.full_name
        with self._lock:
            self._facts = None
        return self.facts.full_name != before

    def _call(self, request: Request) -> Answer:
        """Under the repository's new name, if it was renamed just now: a write that is redirected is not done."""
        answer = self.connection.call(request._replace(url=self._url(request.url)))
        if answer.status in _MOVED and self.is_renamed():
            return self.connection.call(request._replace(url=self._url(request.url)))
        return answer

    def _url(self, path: str) -> str:
        """Of a page's link only the path is asked for: the server may be known under two names, and is never left.

        Raises:
            ForgeError: the link leads out of the API.
        """
        if "://" not in path:
            return f"/repos/{self.facts.full_name}{path}"
        hosts = self.connection.hosts
        there, here = urlsplit(path), urlsplit(hosts.api_url)
        if there.netloc.lower() != hosts.api_host and not (
            here.path.strip("/") and there.path.startswith(f"{here.path}/")
        ):
            raise ForgeError(f"GitHub says that the next page is on {there.hostname}; {hosts.way_out}")
        return path

    def _good(self, what: str, answer: Answer) -> Answer:
        if not answer.is_good:
            raise RefusedError(what, answer)
        return answer


def _read_facts(body: Json) -> RepositoryFacts:
    allowed = tuple(method for method, key in _ALLOWED.items() if body.get(key, True))
    return RepositoryFacts(
        full_name=body["full_name"],
        owner=body["owner"]["login"],
        default_branch=body["default_branch"],
        allowed_methods=allowed,
        can_auto_merge=bool(body.get("allow_auto_merge", False)),
    )
