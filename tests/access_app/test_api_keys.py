"""`Authorization: Api-Key <key>`: who gets in, and what those who do not are told."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access_app import authentication
from access_app.models import ApiKey
from tasks_app.clock import database_now
from tests.tasks_app.api.conftest import TASKS, refused
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db
REFUSAL = "This API key is unknown, expired or revoked."


def test_a_key_signs_its_owner_in(signed, make_key, admin):
    text = make_key(admin)
    for header in (f"Api-Key {text}", f"api-key {text}", f"API-KEY   {text}  "):
        assert signed(header).get(TASKS).status_code == 200


def test_a_key_with_time_left(signed, make_key, admin):
    text = make_key(admin, expires_at=database_now() + timedelta(minutes=5))
    assert signed(f"Api-Key {text}").get(TASKS).status_code == 200


def expired(key: ApiKey) -> None:
    key.expires_at = database_now() - timedelta(seconds=1)
    key.save()


def revoked(key: ApiKey) -> None:
    key.revoked_at = database_now()
    key.save()


def inactive_owner(key: ApiKey) -> None:
    key.owner.is_active = False
    key.owner.save()


def deleted_owner(key: ApiKey) -> None:
    key.owner.delete()


def deleted(key: ApiKey) -> None:
    key.delete()


@pytest.mark.parametrize("change", [expired, revoked, inactive_owner, deleted_owner, deleted])
def test_a_key_that_is_valid_no_more(signed, make_key, admin, change):
    text = make_key(admin)
    change(ApiKey.objects.get())
    error = refused(signed(f"Api-Key {text}").get(TASKS), 401, code="authentication_failed")
    assert error["message"] == REFUSAL


@pytest.mark.parametrize(
    "change",
    [
        lambda prefix, secret: f"{prefix}.wrong",
        lambda prefix, secret: f"{prefix}.{secret}x",
        lambda prefix, secret: f"{prefix}.{secret[:-1]}",
        lambda prefix, secret: f"{prefix}.{secret.swapcase()}",
        lambda prefix, secret: f"{prefix}.",
        lambda prefix, secret: f"{prefix}",
        lambda prefix, secret: f"000000000000.{secret}",
        lambda prefix, secret: f".{secret}",
        lambda prefix, secret: f"{prefix}%.{secret}",
        lambda prefix, secret: f"{prefix}\x00.{secret}",
        lambda prefix, secret: f"{prefix} {secret}",
        lambda prefix, secret: f"ä.{secret}",
        lambda prefix, secret: "' OR 1=1 --.x",
        lambda prefix, secret: "x" * 100_000,
        lambda prefix, secret: ".",
        lambda prefix, secret: "",
    ],
)
def test_wrong_keys_all_get_the_same_answer(signed, make_key, admin, change):
    text = change(*make_key(admin).split("."))
    answer = signed(f"Api-Key {text}").get(TASKS)
    assert refused(answer, 401, code="authentication_failed")["message"] == REFUSAL
    assert answer["WWW-Authenticate"]


@pytest.mark.parametrize(
    "header", ["", "Api-Key", "Api-Key ", "ApiKey {key}", "{key}", "Basic {key}", "Token {key}", "  "]
)
def test_other_headers(signed, make_key, admin, header):
    refused(signed(header.format(key=make_key(admin))).get(TASKS), 401)


def test_the_digest_is_no_secret(signed, make_key, admin):
    prefix, _ = make_key(admin).split(".")
    refused(signed(f"Api-Key {prefix}.{ApiKey.objects.get().digest}").get(TASKS), 401)


def test_only_the_digest_is_stored(make_key, admin):
    prefix, secret = make_key(admin).split(".")
    (row,) = ApiKey.objects.values()
    assert row["prefix"] == prefix
    assert all(secret not in str(value) for value in row.values())
    assert row["digest"] == ApiKey.digest_of(secret)
    assert len(secret) >= 40


def test_no_two_keys_are_alike(make_key, admin):
    assert len({make_key(admin) for _ in range(50)}) == 50


def test_a_busy_client_costs_one_question_a_second(signed, make_key, admin, monkeypatch):
    monkeypatch.setattr(authentication, "REMEMBERED_SECONDS", 1e9)
    client = signed(f"Api-Key {make_key(admin)}")
    with CaptureQueriesContext(connection) as queries:
        assert {client.get(TASKS).status_code for _ in range(5)} == {200}
    assert sum("access_app_apikey" in query["sql"] for query in queries) == 1
    assert signed(f"Api-Key {ApiKey.objects.get().prefix}.wrong").get(TASKS).status_code == 401


def test_a_revoked_key_works_for_a_second_at_most(signed, make_key, admin, monkeypatch):
    monkeypatch.setattr(authentication, "REMEMBERED_SECONDS", 1.0)
    client = signed(f"Api-Key {make_key(admin)}")
    assert client.get(TASKS).status_code == 200
    ApiKey.objects.update(revoked_at=database_now())
    wait_until(lambda: client.get(TASKS).status_code == 401, 2)
