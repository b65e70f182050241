"""Keys that a person writes with places for parameters of the run."""

import hashlib
import json
from typing import Any

from tasks_app.validators import PARAMETER

LONGEST = 200
"""A longer one is cut, and told apart from others by its digest."""


def filled(key: str, params: dict[str, Any]) -> str:
    """`key` with the parameters of a run in their places: texts as they are, others as JSON, none as nothing."""
    text = PARAMETER.sub(lambda place: _text(params.get(place[1], "")), key)
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{text[: LONGEST - len(digest) - 1]}…{digest}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
