"""Waiting for conditions, never for fixed times. No Django in here."""

import time
from collections.abc import Callable
from typing import Any

import pytest


def wait_until(condition: Callable[[], Any], seconds: float = 10.0, what: str = "") -> Any:
    """Return the first truthy value of `condition()`; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"Not within {seconds:g} s: {what or condition}")
        time.sleep(0.02)
