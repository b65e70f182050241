"""Reads request bodies: JSON that every database and every worker can take, or a 400 that says why not."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 64
"""Objects and lists inside each other."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: UTF-8, finite numbers; no larger than `DATA_UPLOAD_MAX_MEMORY_SIZE`."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body: bytes = parser_context["request"].body  # unlike the stream, this heeds the limit
        try:
            data = json.loads(body.decode(), parse_constant=_refuse_constant)
        except RecursionError:
            raise ParseError(_DEPTH) from None
        except ValueError as error:
            raise ParseError(f"This is not valid JSON: {error}.") from None
        _check(data)
        return data


class JSONObjectParser(StrictJSONParser):
    """The same where only an object makes sense."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        data = super().parse(stream, media_type, parser_context)
        if not isinstance(data, dict):
            raise ParseError("Send a JSON object.")
        return data


class LengthRequired(APIException):
    status_code = 411
    default_code = "length_required"
    default_detail = "Send the header Content-Length instead of a body in chunks."


class JSONBody:
    """A view that takes JSON of a known length: a body in chunks would silently be taken for none."""

    parser_classes: Sequence[type[BaseParser]] = [JSONObjectParser]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if "Transfer-Encoding" in request.headers and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired


_DEPTH = f"The JSON is nested too deeply: at most {MAX_DEPTH} levels."


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _check(value: Any, depth: int = 0) -> None:
    """Raise an error that names the place of the first value which could not be stored or sent to a worker."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_leaf(key)
            _check_item(key, item, depth)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_item(str(index), item, depth)
    else:
        _check_leaf(value)


def _check_item(key: str, item: Any, depth: int) -> None:
    if depth == MAX_DEPTH:
        raise ParseError(_DEPTH)
    try:
        _check(item, depth + 1)
    except ValidationError as error:
        raise ValidationError({key: error.detail}) from None


def _check_leaf(value: Any) -> None:
    if isinstance(value, str) and _UNSTORABLE.search(value):
        raise ValidationError(
            "Remove NUL characters (\\u0000) and unpaired surrogates (\\ud800–\\udfff) from the text."
        )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValidationError("Whole numbers must fit in 64 bits; send a larger one as text.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValidationError("This number is too large.")
