"""Whatever comes as a request body, the answer is an error of our shape, never a 500, and nothing is stored."""

import json

import pytest

from tests.tasks_app.api.conftest import RUNS, TASK, TASKS, refused, rows

pytestmark = pytest.mark.django_db

MALFORMED = [
    b"{",
    b"",
    b"{'name': 't'}",
    b"nonsense",
    b"\xff\xfe",
    b'{"name": "\xff"}',
    b"\xef\xbb\xbf{}",
    b'{"timeout_seconds": NaN}',
    b'{"timeout_seconds": Infinity}',
    b'{"timeout_seconds": -Infinity}',
    b'{"name": "line\nbreak"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 100 + b"]" * 100,
    b'{"config": ' + b'{"a": ' * 70 + b"1" + b"}" * 71,
    b"1" * 10_000,
    b"{} {}",
]
ADDRESSES = [TASKS, f"{RUNS}bulk/", "/api/v1/schedules/preview/", "/api/v1/auth/token/", "/api/v1/auth/token/refresh/"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:24]))
def test_malformed_json(quiet, body, address):
    before = rows()
    refused(quiet.generic("POST", address, body, "application/json"), 400)
    assert rows() == before


@pytest.mark.parametrize("address", [*ADDRESSES, "{task}", "{task}run/"])
@pytest.mark.parametrize("body", ["[]", '["a"]', '"text"', "5", "null", "true", "1.5"])
def test_json_that_is_no_object(quiet, task, address, body):
    address = address.format(task=f"{TASKS}{task.pk}/")
    method = "PATCH" if address.endswith(f"{task.pk}/") else "POST"
    before = rows()
    error = refused(quiet.generic(method, address, body, "application/json"), 400)
    assert "ictionary" not in error["message"], "that is Python's word"
    assert rows() == before


@pytest.mark.parametrize("place", ["name", "command", "description", "config.key", "config", "worker_labels"])
@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800", "x\\udfff", "\\udc00\\ud800"])
def test_text_that_cannot_be_stored(quiet, place, text):
    top, _, key = place.partition(".")
    value = (
        f'{{"key": ["{text}"]}}' if key else f'{{"{text}": "x"}}' if top in ("config", "worker_labels") else f'"{text}"'
    )
    body = json.dumps({name: v for name, v in TASK.items() if name != top})[:-1] + f', "{top}": {value}}}'
    before = rows()
    error = refused(quiet.generic("POST", TASKS, body, "application/json"), 400)
    assert any(name.startswith(place) for name in error["fields"]), error
    assert rows() == before


@pytest.mark.parametrize("key", ["a\\u0000", "\\ud800"])
def test_a_key_that_cannot_be_stored(quiet, key):
    refused(quiet.generic("POST", TASKS, f'{{"{key}": 1}}', "application/json"), 400, "body")


def test_what_looks_like_one_but_is_not_may_pass(api):
    for index, command in enumerate(["printf '\\u0000'", "echo 😀", "echo \ufffd"]):
        answer = api.post(TASKS, {**TASK, "name": str(index), "command": command})
        assert answer.status_code == 201, answer.content
        assert api.get(f"{TASKS}{answer.json()['id']}/").json()["command"] == command


@pytest.mark.parametrize("number", ["1e400", "-1e400", str(2**63), str(-(2**63) - 1), "1" * 400])
@pytest.mark.parametrize("place", ["timeout_seconds", "max_attempts", "priority", "name"])
def test_numbers_out_of_every_range(quiet, place, number):
    body = json.dumps({name: v for name, v in TASK.items() if name != place})[:-1] + f', "{place}": {number}}}'
    refused(quiet.generic("POST", TASKS, body, "application/json"), 400, place)


@pytest.mark.parametrize("number", ["1e400", str(2**63), "1" * 400])
def test_numbers_a_worker_cannot_be_sent(quiet, task, number):
    before = rows()
    body = f'{{"params": {{"list": [1, {number}]}}}}'
    refused(quiet.generic("POST", f"{TASKS}{task.pk}/run/", body, "application/json"), 400, "params.list.1")
    assert rows() == before


@pytest.mark.parametrize("address", [*ADDRESSES, "{task}run/"])
def test_a_body_in_chunks_is_not_taken_for_none(quiet, task, address):
    before = rows()
    headers = {"Transfer-Encoding": "chunked"}
    address = address.format(task=f"{TASKS}{task.pk}/")
    answer = quiet.generic("POST", address, b"{}", "application/json", headers=headers, CONTENT_LENGTH="")
    refused(answer, 411, code="length_required")
    assert rows() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "nonsense"])
def test_other_media_types(quiet, kind):
    error = refused(quiet.generic("POST", TASKS, b"name=t", kind), 415, code="unsupported_media_type")
    assert "application/json" in error["message"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_body_beyond_the_limit(quiet, settings, address):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000
    before = rows()
    body = json.dumps({**TASK, "description": "x" * 10_000})
    refused(quiet.generic("POST", address, body, "application/json"), 413, code="too_large")
    assert rows() == before


def test_a_charset_in_the_header_changes_nothing(api):
    for index, charset in enumerate(["utf-8", "latin-1", "nonsense"]):
        body = json.dumps({**TASK, "name": f"ä{index}"}, ensure_ascii=False).encode()
        answer = api.generic("POST", TASKS, body, f"application/json; charset={charset}")
        assert answer.status_code == 201, answer.content
        assert answer.json()["name"] == f"ä{index}"
