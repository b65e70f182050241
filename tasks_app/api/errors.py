"""Every error of the API has one shape: {"error": {"code", "message", "fields"}}."""

import logging
import sys
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import exception_handler

from tasks_app import outages
from tasks_app.actions import NotPossible, TooMany
from tasks_app.schedule import ScheduleError
from workers_app.events import note_often

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1
"""A database that is back is used again within about a second."""
PAGE = "<!doctype html><title>Unavailable</title><h1>Not available at the moment</h1><p>{} Try again in a moment.</p>"


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The request body is too large. Split it into smaller requests."


class TooManyRequests(exceptions.APIException):
    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many_requests"

    def __init__(self, detail: str, wait: int) -> None:
        super().__init__(detail)
        self.wait = wait  # DRF makes `Retry-After` of it


class Unavailable(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "unavailable"
    wait = RETRY_SECONDS


_MESSAGES: dict[type[Exception], str] = {
    exceptions.NotAuthenticated: "Sign in: send the header `Authorization: Api-Key <key>` or `Bearer <token>`.",
    exceptions.UnsupportedMediaType: "Send JSON, with the header `Content-Type: application/json`.",
}
"""Where DRF's own words do not say the mend."""


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler; what it does not know goes on to Django and ends as a 500."""
    error = _translate(error, context)
    response = exception_handler(error, context)
    if response is not None:
        response.data = body(_code(error), _message(error), _fields(error))
        # JSON also where the view itself answers with HTML or an event stream.
        context["request"].accepted_renderer, context["request"].accepted_media_type = (
            JSONRenderer(),
            "application/json",
        )
        _keep_quiet(response)
    return response


def body(code: str, message: str, fields: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """The one shape."""
    return {"error": {"code": code, "message": message, "fields": fields or {}}}


def _translate(error: Exception, context: dict[str, Any]) -> Exception:
    """Our own errors, Django's and the database's as DRF's."""
    if isinstance(error, TooMany):
        return TooManyRequests(str(error), error.retry_after)
    if isinstance(error, NotPossible):
        return Conflict(str(error))
    if isinstance(error, ScheduleError):
        return exceptions.ValidationError({error.field: [error.message]})
    if isinstance(error, DjangoValidationError):
        return exceptions.ValidationError(as_serializer_error(error))
    if isinstance(error, RequestDataTooBig):
        return TooLarge()
    if isinstance(error, Http404):
        return exceptions.NotFound(_no_such(context))
    if sentence := outages.explain(error):
        note_often("unavailable", "Answered with 503: %s", error)
        return Unavailable(sentence)
    if isinstance(error, IntegrityError):
        logger.warning("Refused by the database", exc_info=error)
        return Conflict("Another request has changed the same at this moment. Look at it again, then repeat.")
    return error


def _no_such(context: dict[str, Any]) -> str:
    queryset = getattr(context["view"], "queryset", None)
    what = "object" if queryset is None else queryset.model._meta.verbose_name
    return f"There is no {what} with the id {context['kwargs'].get('pk')}."


def _code(error: Exception) -> str:
    if isinstance(error, exceptions.ValidationError):
        return "invalid"
    return str(getattr(error, "default_code", "not_found"))


def _message(error: Exception) -> str:
    if type(error) in _MESSAGES:
        return _MESSAGES[type(error)]
    if isinstance(error, exceptions.ValidationError):
        name, messages = next(iter(_fields(error).items()), ("body", ["Invalid input."]))
        return messages[0] if name == "body" else f"{name}: {messages[0]}"
    detail = getattr(error, "detail", None)
    if isinstance(detail, dict):
        detail = detail.get("detail")
    return str(detail or "Not found.")


def _fields(error: Exception) -> dict[str, list[str]]:
    if isinstance(error, exceptions.ParseError):
        return {"body": [str(error.detail)]}
    if isinstance(error, exceptions.NotFound):
        return {"id": [str(error.detail)]}
    return dict(_flat(error.detail, "")) if isinstance(error, exceptions.ValidationError) else {}


def _flat(detail: Any, path: str) -> list[tuple[str, list[str]]]:
    """Nested errors as `outer.0.inner` → messages."""
    if isinstance(detail, dict):
        return [pair for key, value in detail.items() for pair in _flat(value, _join(path, str(key)))]
    if isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        return [pair for i, item in enumerate(detail) for pair in _flat(item, _join(path, str(i)))]
    messages = [str(item) for item in (detail if isinstance(detail, list) else [detail])]
    return [(path or "body", messages)] if messages else []


def _join(path: str, key: str) -> str:
    if key in ("non_field_errors", NON_FIELD_ERRORS):
        return path
    return f"{path}.{key}" if path else key


def bad_request(request: HttpRequest, exception: Exception) -> Any:
    """Django's 400 (a host that is not allowed, …), as JSON below /api/."""
    if request.path.startswith("/api/"):
        return JsonResponse(body("bad_request", "The server cannot accept this request; its log says why."), status=400)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> Any:
    """Django's 404, as JSON below /api/."""
    if request.path.startswith("/api/"):
        return JsonResponse(body("not_found", "There is nothing at this address."), status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> Any:
    """Django's 500, as JSON below /api/; the cause is in the log. Where there is no database it is a 503."""
    error = sys.exc_info()[1]
    if sentence := outages.explain(error):
        note_often("unavailable", "Answered with 503: %s", error)
        return _unavailable(request, sentence)
    if request.path.startswith("/api/"):
        return JsonResponse(body("internal", "The server failed; the cause is in its log."), status=500)
    return defaults.server_error(request)


def _unavailable(request: HttpRequest, sentence: str) -> HttpResponse:
    response: HttpResponse = JsonResponse(body("unavailable", sentence), status=503)
    if not request.path.startswith("/api/"):
        response = HttpResponse(PAGE.format(sentence), status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    _keep_quiet(response)
    return response


def _keep_quiet(response: HttpResponse) -> None:
    """Keep Django from logging each answer that says "not now": they come in thousands, and are counted and logged."""
    if response.status_code in (429, 503):
        response._has_been_logged = True  # type: ignore[attr-defined]
