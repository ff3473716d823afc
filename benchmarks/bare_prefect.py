"""What Prefect alone costs: the same server, and as many flow runs of five empty steps, with nothing of ours in them.

`python -m benchmarks.bare_prefect <flow runs> <at once>` prints how long it took, in seconds, cold start included.
It is the floor of `cold-batch`, as the bare git script is the floor of `engine-cost`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence

_BEGUN = time.perf_counter()
_STEPS = ("spawn", "init", "work", "pr", "merge-wait")


def main(arguments: Sequence[str]) -> None:
    """Start the embedded server, bring in Prefect meanwhile, and run the flows."""
    from parallel_workers.cli.server_access import reach_server

    flow_runs, at_once = int(arguments[0]), int(arguments[1])
    reach_server(preload="prefect")
    _run_flows(flow_runs, at_once)
    print(f"{time.perf_counter() - _BEGUN:.3f}")


def _run_flows(flow_runs: int, at_once: int) -> None:
    import uvloop
    from prefect import flow, task

    async def nothing() -> None: ...

    steps = [task(name=name)(nothing) for name in _STEPS]

    @flow(name="bare", validate_parameters=False)
    async def bare() -> None:
        for step in steps:
            await step()

    async def run_all() -> None:
        free = asyncio.Semaphore(at_once)

        async def run_one() -> None:
            async with free:
                await bare()

        await asyncio.gather(*(run_one() for _ in range(flow_runs)))

    uvloop.run(run_all())


if __name__ == "__main__":
    main(sys.argv[1:])
