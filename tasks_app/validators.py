"""Rules for single fields, shared by forms and the API."""

import re
import unicodedata
from typing import Any

import msgspec
from django.core.exceptions import ValidationError

from tasks_app import retry

PARAMS_BYTES = 16 * 1024
MOST_CONDITIONS = 50
"""Of ends after which to try again."""
MOST_POOLS = 20
"""That one run takes slots of."""
MOST_SLOTS = 100_000
_BRACES = re.compile(r"[{}]")
PARAMETER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
"""A place in a key that stands for a parameter of the run."""
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?")


def validate_name(value: str) -> None:
    """A name is one line of visible text without white space at its ends."""
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in value):
        raise ValidationError("Remove control characters (line breaks, tabs, invisible marks) from the name.")
    if value != value.strip() or not value:
        raise ValidationError("A name needs visible text and no white space at its ends.")


def validate_params(value: Any) -> None:
    """Parameters of a run are a JSON object of at most 16 KiB."""
    if not isinstance(value, dict):
        raise ValidationError('This must be a JSON object, such as {"name": "value"}.')
    if len(msgspec.json.encode(value)) > PARAMS_BYTES:
        raise ValidationError(f"Parameters are limited to {PARAMS_BYTES // 1024} KiB of JSON.")


def validate_label_map(value: Any) -> None:
    """Labels are a JSON object of short texts, such as {"zone": "eu"}."""
    if not isinstance(value, dict):
        raise ValidationError('Labels are an object such as {"zone": "eu"}.')
    for key, label in value.items():
        if not _LABEL.fullmatch(key) or not isinstance(label, str) or not _LABEL.fullmatch(label):
            raise ValidationError(f"Label “{key}”: key and value are 1–63 letters, digits and ._/- as text.")


def validate_key(value: str) -> None:
    """A key is one line of visible text, in which {name} stands for a parameter of the run."""
    validate_name(value)
    if _BRACES.search(PARAMETER.sub("", value)):
        raise ValidationError("Braces stand for a parameter of the run, as in deploy-{host}.")


def validate_pools(value: Any) -> None:
    """Pools are a JSON object of the slots to take of each, such as {"database": 1}."""
    if not isinstance(value, dict):
        raise ValidationError('Pools are an object of slots by the name of a pool, such as {"database": 1}.')
    if len(value) > MOST_POOLS:
        raise ValidationError(f"At most {MOST_POOLS} pools.")
    for name, slots in value.items():
        if type(slots) is not int or not 1 <= slots <= MOST_SLOTS:
            raise ValidationError(f"Pool “{name}”: take a whole number of slots, 1 to {MOST_SLOTS:,}.")


def validate_conditions(value: Any) -> None:
    """Ends of attempts: a JSON list of exit codes, ranges, "timeout", "signal" and names of signals."""
    if not isinstance(value, list) or len(value) > MOST_CONDITIONS:
        raise ValidationError(f'This must be a list of at most {MOST_CONDITIONS}, such as [75, "500-599", "timeout"].')
    for each in value:
        if each == "timeout":
            continue
        try:
            if isinstance(each, bool) or not isinstance(each, int | str):
                raise ValueError
            retry.bounds(each)
        except ValueError:
            message = f"“{each}” is no exit code, status, range (500-599), timeout, signal or name of a signal."
            raise ValidationError(message) from None
