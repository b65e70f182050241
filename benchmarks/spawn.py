"""Starts and ends processes as fast as can be: `python -m benchmarks.spawn asyncio 1.0` prints how many a second.

Imports little, so that it begins soon and forks lightly.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable

from benchmarks import cpu

TRUE = "/bin/true"
AT_ONCE = 16


def by_posix_spawn(seconds: float) -> int:
    """The cheapest way there is: nothing is read, nothing set up."""
    number, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        os.waitpid(os.posix_spawn(TRUE, [TRUE], {}), 0)
        number += 1
    return number


def by_asyncio(seconds: float) -> int:
    """What an executor needs at least: output in a pipe, a session of its own, many at once."""
    return asyncio.run(_by_asyncio(seconds))


async def _by_asyncio(seconds: float) -> int:
    end = time.monotonic() + seconds

    async def repeat() -> int:
        number = 0
        while time.monotonic() < end:
            process = await asyncio.create_subprocess_exec(TRUE, stdout=asyncio.subprocess.PIPE, start_new_session=True)
            await process.communicate()
            number += 1
        return number

    return sum(await asyncio.gather(*(repeat() for _ in range(AT_ONCE))))


WAYS: dict[str, Callable[[float], int]] = {"asyncio": by_asyncio, "posix_spawn": by_posix_spawn}


def main(way: str, seconds: str) -> None:
    before, begun = cpu.of(os.getpid()), time.monotonic()
    number = WAYS[way](float(seconds))
    took = time.monotonic() - begun
    print(json.dumps({"number": number, "seconds": took, "cpu": (cpu.of(os.getpid()) - before).total}))


if __name__ == "__main__":
    main(*sys.argv[1:])
