"""Our Redis Streams transport against kombu's lists: worker CPU of a Celery task that does nothing."""

from importlib import import_module
from typing import Any

from benchmarks import servers
from benchmarks.size import Size


def measure(size: Size) -> dict[str, Any]:
    """Raises `servers.Missing`."""
    if not servers.streams_known():
        raise servers.Missing(f"the transport {servers.STREAMS}:// is not known here")
    try:
        compare = import_module("benchmarks.streams").compare  # it needs the transport
    except (ImportError, AttributeError) as error:
        raise servers.Missing(str(error)) from error
    found: dict[str, Any] = compare(
        servers.address("redis"), size.stream_tasks, size.stream_rounds, size.stream_prefetches
    )
    return found
