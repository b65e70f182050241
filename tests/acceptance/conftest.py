from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Stack, sqlite_database


@pytest.fixture
def make_stack(tmp_path: Path, broker_url: str) -> Iterator[Callable[..., Stack]]:
    """Makes stacks that are ended after the test; their logs are shown when it failed."""
    stacks: list[Stack] = []

    def make(**settings: Any) -> Stack:
        database = settings.pop("database", None) or sqlite_database(tmp_path)
        stacks.append(Stack(tmp_path, settings.pop("broker_url", broker_url), database, settings))
        return stacks[-1]

    yield make
    for stack in stacks:
        for log in sorted(stack.folder.glob("*.log")):
            print(f"==== {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        stack.close()


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """Web and one dispatcher; workers are the test's own."""
    found = make_stack()
    found.web()
    found.dispatcher()
    return found
