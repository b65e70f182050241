"""`/healthz` (the process is alive), `/readyz` (database and broker can be reached), `/metrics` (for Prometheus)."""

from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from workers_app import metrics as counted
from workers_app.messaging import broker

TIMEOUT_SECONDS = 1.0
ALIVE = {"status": "ok"}


def alive(request: HttpRequest) -> JsonResponse:
    return JsonResponse(ALIVE)


def ready(request: HttpRequest) -> JsonResponse:
    """200, or 503 with what is missing."""
    states = {"database": _database(), "broker": _broker()}
    missing = [name for name, state in states.items() if state != "ok"]
    return JsonResponse({"status": "unavailable" if missing else "ok", **states}, status=503 if missing else 200)


def metrics(request: HttpRequest) -> HttpResponse:
    """What this process has counted. It names no task, worker or person."""
    return HttpResponse(counted.exposition(), content_type=counted.CONTENT_TYPE)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        return f"unreachable ({type(error).__name__})"
    return "ok"


def _broker() -> str:
    link = broker.connect(seconds=TIMEOUT_SECONDS)
    try:
        with link:
            link.ensure_connection(max_retries=0)
            link.channel().queue_declare(broker.inbox().name, passive=True)
    except link.channel_errors:
        return "ok"
    except broker.errors(link) as error:
        return f"unreachable ({type(error).__name__})"
    return "ok"
