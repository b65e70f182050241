"""The OpenAPI document says everything the API does; the docs page needs no internet."""

import json
import re
from io import StringIO

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver

pytestmark = pytest.mark.django_db

NOT_DESCRIBED = {"/api/v1/schema/", "/api/v1/docs/"}


@pytest.fixture
def document(api):
    answer = api.get("/api/v1/schema/?format=json")
    assert answer.status_code == 200
    return json.loads(answer.content)


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> list[str]:
    """Every address below /api/, with {id} for what varies."""
    found = []
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$").removesuffix("\\Z")
        if isinstance(pattern, URLResolver):
            found += routes(pattern.url_patterns, path)
        elif path.startswith("/api/") and path.endswith("/"):
            found.append(re.sub(r"\(\?P<pk>[^)]*\)", "{id}", path))
    return found


def test_it_has_every_route(document):
    assert document["openapi"].startswith("3.1")
    real = set(routes(get_resolver().url_patterns)) - NOT_DESCRIBED
    assert len(real) >= 20
    assert set(document["paths"]) == real


def test_every_operation_says_what_it_does_and_how_it_fails(document):
    error = document["components"]["schemas"]["Error"]
    assert set(error["properties"]["error"]["properties"]) == {"code", "message", "fields"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation.get("description"), where
            assert "#/components/schemas/Error" in str(operation["responses"]["default"]), where
            assert all(p.get("description") for p in operation.get("parameters", ()) if p["in"] == "query"), where


def test_it_tells_how_to_sign_in(document):
    schemes = document["components"]["securitySchemes"]
    assert {"ApiKey", "jwtAuth"} <= set(schemes)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("tasks/", "post", "201"),
        ("tasks/{id}/run/", "post", "202"),
        ("runs/bulk/", "post", "202"),
        ("runs/{id}/cancel/", "post", "202"),
        ("runs/{id}/logs/", "get", "200"),
        ("schedules/preview/", "post", "200"),
    ],
)
def test_answers_are_described(document, path, method, status):
    answer = document["paths"][f"/api/v1/{path}"][method]["responses"][status]
    assert "$ref" in answer["content"]["application/json"]["schema"]


def test_it_is_valid_and_made_without_warnings():
    call_command("spectacular", "--validate", "--fail-on-warn", "--api-version", "v1", stdout=StringIO())


def test_the_docs_page_needs_nothing_from_elsewhere(api, client):
    answer = api.get("/api/v1/docs/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "swagger" in page.lower()
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", page)
    files = re.findall(r"(?:src|href)=\"/static/([^\"?]+)", page)
    assert len(files) >= 3
    assert all(finders.find(name) for name in files), files
