"""What drf-spectacular cannot see by itself."""

from typing import Any

_TEXTS = {"type": "array", "items": {"type": "string"}}
_ERROR = {
    "type": "object",
    "description": "Every answer of 400 and above has this shape.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "fields"],
            "properties": {
                "code": {
                    "type": "string",
                    "description": "Stable, for programs: invalid, not_found, too_many_requests, …",
                },
                "message": {"type": "string", "description": "What is wrong and how to mend it, for people."},
                "fields": {
                    "type": "object",
                    "additionalProperties": _TEXTS,
                    "description": "Messages by field; nested as `config.shell` or `runs.3.task`.",
                },
            },
        }
    },
}
_ANSWER = {
    "description": "An error.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def describe_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the shape of errors to the document and to every operation."""
    result["components"]["schemas"]["Error"] = _ERROR
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = _ANSWER
    return result
