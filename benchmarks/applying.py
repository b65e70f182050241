"""`manage.py apply` of a file with many tasks, as a process: all of them new, and then all of them unchanged."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.size import Size
from benchmarks.stack import ROOT, Failed, Stack


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """From the start of the process to its end, by the clock on the wall."""
    path = stack.folder / "benchmark.yaml"
    path.write_text(yaml.dump({"tasks": [_entry(n) for n in range(size.apply_tasks)]}, Dumper=yaml.CSafeDumper))
    try:
        first = _apply(stack, path, f"{size.apply_tasks:,} to create")
        again = _apply(stack, path, f"{size.apply_tasks:,} unchanged")
    finally:
        stack.helper("pause")
    tell(f"{size.apply_tasks:,} tasks applied in {first:.1f} s, and again in {again:.1f} s")
    return {"tasks": size.apply_tasks, "seconds": round(first, 2), "again_seconds": round(again, 2)}


def _apply(stack: Stack, path: Path, expected: str) -> float:
    argv = [sys.executable, "manage.py", "apply", str(path)]
    begun = time.monotonic()
    done = subprocess.run(argv, env=stack.environment, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    seconds = time.monotonic() - begun
    if done.returncode or expected not in done.stdout:
        raise Failed(f"apply: {(done.stderr or done.stdout).strip().splitlines()[-1][-200:]}")
    return seconds


def _entry(n: int) -> dict[str, Any]:
    """Every night at some time of its own; half are commands, half are calls."""
    own: dict[str, Any] = {
        "executor": "shell",
        "command": f"/opt/jobs/report --customer {n}",
        "config": {"env": {"REPORT_FORMAT": "pdf", "CUSTOMER": str(n)}, "cwd": "/tmp"},  # noqa: S108 - never run
    }
    if n % 2:
        own = {
            "executor": "http",
            "command": f"https://service-{n % 50}.example.com/hooks/{n}",
            "config": {"method": "POST", "headers": {"X-Customer": str(n)}},
        }
    return {
        "name": f"customer-{n:06}-report",
        "description": f"The nightly report of customer {n}.",
        "schedule": f"{n % 60} {n // 60 % 6} * * {'MON-FRI' if n % 3 else '*'}",
        "timezone": ("UTC", "Europe/Berlin", "America/New_York", "Asia/Shanghai")[n % 4],
        "timeout_seconds": 600,
        "max_attempts": 3,
        "retry_delay_seconds": 30,
        **own,
    }
