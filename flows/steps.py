"""What every step of a worker's lifecycle has in common as a Prefect task."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from prefect import task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task, exponential_backoff

from flows.forge_credentials import without_secrets
from flows.forge_pauses import wait_for_forge
from parallel_workers.decisions.retrying import should_retry
from parallel_workers.errors import ForgeBusyError, ParallelWorkersError
from parallel_workers.spec import TaskOrder

RETRIES = 3
P = ParamSpec("P")
R = TypeVar("R")
AsyncFunction = Callable[Concatenate[TaskOrder, P], Coroutine[Any, Any, R]]


async def is_transient(_task: Task[..., object], _run: TaskRun, state: State[object]) -> bool:
    """Retry condition of every step: try again only what may go better the next time."""
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, BaseException) and should_retry(error)


def step(name: str, *, keep_result: CachePolicy | None = None) -> Callable[[AsyncFunction[P, R]], AsyncFunction[P, R]]:
    """Make an async function a step: a Prefect task that is retried after 1, 2 and 4 s when that may help.

    Steps look before they act, so a run that is taken up again repeats them; only with `keep_result` is the result
    stored (as JSON) and given back instead. A forge that is not to be asked before some time is asked then: that is no
    failure, and uses up no retry. Errors of ours are raised without secrets, since Prefect shows what they say.
    """

    def make(function: AsyncFunction[P, R]) -> AsyncFunction[P, R]:
        @wraps(function)
        async def patient(order: TaskOrder, *args: P.args, **kwargs: P.kwargs) -> R:
            while True:
                try:
                    return await function(order, *args, **kwargs)
                except ForgeBusyError as busy:
                    await wait_for_forge(order, busy)
                except ParallelWorkersError as error:
                    error.args = tuple(without_secrets(one) if isinstance(one, str) else one for one in error.args)
                    raise

        return cast("AsyncFunction[P, R]", made(patient))

    made = task(
        name=name,
        retries=RETRIES,
        retry_delay_seconds=exponential_backoff(1),
        retry_condition_fn=is_transient,
        cache_policy=keep_result or NO_CACHE,
        persist_result=keep_result is not None,
        result_serializer="json",
    )
    return make
