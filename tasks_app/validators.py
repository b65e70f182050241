"""Rules for single fields, shared by forms and the API."""

import re
import unicodedata
from typing import Any

import msgspec
from django.core.exceptions import ValidationError

PARAMS_BYTES = 16 * 1024
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
