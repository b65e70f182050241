"""Without a database: 503 with `Retry-After` and one sentence, wherever the error comes from; never 500."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection, connections
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from tasks_app import actions
from tasks_app.api import errors, tasks
from tests.tasks_app.api.conftest import RUNS, TASK, TASKS, WORKERS, refused
from workers_app.events import events

pytestmark = [pytest.mark.django_db, pytest.mark.only("sqlite")]
NO_RUN = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def without_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Calls something on a thread that finds no database."""
    monkeypatch.setitem(connections.settings["default"], "NAME", "/nonexistent/database")
    with ThreadPoolExecutor(1) as thread:

        def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            return thread.submit(function, *args, **kwargs).result()

        yield call
        thread.submit(lambda: connection.close()).result()  # that of the thread


def unavailable(answer: Any) -> dict[str, Any]:
    error = refused(answer, 503, code="unavailable")
    assert int(answer["Retry-After"]) >= 1
    assert "nonexistent" not in answer.content.decode()
    return error


EVERYTHING = [
    ("get", TASKS, None),
    ("post", TASKS, TASK),
    ("get", f"{TASKS}1/", None),
    ("put", f"{TASKS}1/", TASK),
    ("patch", f"{TASKS}1/", {}),
    ("delete", f"{TASKS}1/", None),
    ("post", f"{TASKS}1/run/", {}),
    ("post", f"{TASKS}1/pause/", None),
    ("get", f"{TASKS}1/next-fires/", None),
    ("post", "/api/v1/schedules/preview/", {"schedule": "@daily"}),
    ("get", RUNS, None),
    ("post", f"{RUNS}bulk/", [{"task": 1}]),
    ("get", f"{RUNS}{NO_RUN}/", None),
    ("post", f"{RUNS}{NO_RUN}/cancel/", None),
    ("post", f"{RUNS}{NO_RUN}/retry/", None),
    ("get", f"{RUNS}{NO_RUN}/logs/", None),
    ("get", f"{RUNS}{NO_RUN}/logs/stream/", None),
    ("get", WORKERS, None),
    ("post", f"{WORKERS}1/drain/", None),
    ("get", "/api/v1/circuits/", None),
    ("get", "/api/v1/schema/", None),
    ("get", "/api/v1/docs/", None),
]


@pytest.mark.parametrize(("method", "address", "body"), EVERYTHING, ids=lambda value: str(value)[-40:])
@pytest.mark.parametrize("sign_in", ["key", "token", "session"])
def test_every_address(api, admin, without_database, method, address, body, sign_in):
    client = APIClient()
    if sign_in == "key":
        client.credentials(**api._credentials)
    elif sign_in == "token":
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(admin)}")
    else:
        # Its session was made while there was a database.
        client.cookies["sessionid"] = "a" * 32
    unavailable(without_database(getattr(client, method), address, body))


def test_signing_in(admin, without_database):
    word = {"username": "root", "password": "secret"}
    unavailable(without_database(APIClient().post, "/api/v1/auth/token/", word))
    refresh = {"refresh": str(RefreshToken.for_user(admin))}
    unavailable(without_database(APIClient().post, "/api/v1/auth/token/refresh/", refresh))


@pytest.mark.parametrize("address", ["/admin/", "/admin/tasks_app/task/", "/admin/tasks_app/task/add/"])
def test_a_page_of_the_admin(admin, without_database, address):
    client = Client(raise_request_exception=False)
    client.force_login(admin)
    answer = without_database(client.get, address)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert answer["Content-Type"].startswith("text/html")
    assert "The database cannot be reached" in answer.content.decode()
    assert "nonexistent" not in answer.content.decode()


def test_signing_in_to_the_admin(without_database):
    client = Client(raise_request_exception=False)
    answer = without_database(client.post, "/admin/login/", {"username": "root", "password": "secret"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")


def touch(request: HttpRequest) -> HttpResponse:
    """The session is saved by a middleware, when the view has answered already."""
    request.session["touched"] = True
    return HttpResponse("done")


urlpatterns = [path("api/touch/", touch), path("touch/", touch)]
handler500 = errors.server_error


def test_an_error_in_a_middleware(without_database, settings):
    settings.ROOT_URLCONF = __name__
    client = Client(raise_request_exception=False)
    unavailable(without_database(client.get, "/api/touch/"))
    assert without_database(client.get, "/touch/").status_code == 503


@pytest.mark.parametrize("fault", [OperationalError("secret detail"), InterfaceError("secret detail")])
def test_in_the_midst_of_a_view(quiet, task, monkeypatch, fault, caplog):
    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(actions, "trigger", fail)
    monkeypatch.setattr(tasks, "database_now", fail)
    before = events["unavailable"]
    for address, body in [(f"{TASKS}{task.pk}/run/", {}), (TASKS, {**TASK, "name": "other"})]:
        answer = quiet.post(address, body)
        refused(answer, 503, code="unavailable")
        assert b"secret" not in answer.content
    assert events["unavailable"] == before + 2
    assert sum("Service Unavailable" in record.getMessage() for record in caplog.records) == 0


def test_what_asks_no_database_goes_on(without_database):
    assert without_database(APIClient().get, "/healthz").status_code == 200
    refused(without_database(APIClient().get, TASKS), 401)
