"""When tasks fire next: how many such questions a core answers, the longest of them, and what follows an outage."""

import json
from collections.abc import Callable
from typing import Any

from benchmarks.size import Size
from benchmarks.stack import Stack


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """By `benchmarks.timings`; the stack stands idle meanwhile."""
    found: dict[str, Any] = json.loads(stack.helper("timings", str(size.planning_seconds)))
    found["next_ms"] = max(each["next_ms"] for each in found["single"].values())
    found["read_ms"] = max(each["read_ms"] for each in found["single"].values())
    found["outage_ms"] = max(found["outages"].values())
    tell(f"{found['next_fires_per_second']:,} next fires a second; the hardest one {found['next_ms']} ms")
    return found
