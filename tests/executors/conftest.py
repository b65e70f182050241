from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from executors.http import Http
from executors.shell import Shell
from tests.executors.helpers import note_other_children
from tests.executors.server import Server


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    executor = Shell()
    await executor.start()
    yield executor
    await executor.close()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    executor = Http()
    await executor.start()
    yield executor
    await executor.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.close()


@pytest.fixture(autouse=True)
def _only_own_children_count() -> None:
    note_other_children()
