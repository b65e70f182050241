"""JWT pairs: `POST auth/token/`, `auth/token/refresh/`, `Authorization: Bearer <token>`."""

from datetime import timedelta

import jwt
import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from tests.tasks_app.api.conftest import TASKS, refused

pytestmark = pytest.mark.django_db

TOKEN, REFRESH = "/api/v1/auth/token/", "/api/v1/auth/token/refresh/"


def test_a_pair_signs_in_and_is_renewed(signed, admin):
    pair = APIClient().post(TOKEN, {"username": "root", "password": "secret"})
    assert pair.status_code == 200, pair.content
    assert set(pair.json()) == {"access", "refresh"}
    assert signed(f"Bearer {pair.json()['access']}").get(TASKS).status_code == 200
    renewed = APIClient().post(REFRESH, {"refresh": pair.json()["refresh"]})
    assert renewed.status_code == 200, renewed.content
    assert signed(f"Bearer {renewed.json()['access']}").get(TASKS).status_code == 200


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(make_user, admin):
    make_user("gone", is_active=False)
    answers = [
        APIClient().post(TOKEN, {"username": name, "password": word})
        for name, word in [("root", "wrong"), ("nobody", "secret"), ("gone", "secret"), ("root", "secret ")]
    ]
    errors = [refused(answer, 401) for answer in answers]
    assert all(error == errors[0] for error in errors)


def test_white_space_in_a_password_counts(make_user):
    user = make_user("bob")
    user.set_password(" word ")
    user.save()
    assert APIClient().post(TOKEN, {"username": "bob", "password": " word "}).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "root"}, "password"),
        ({"username": "", "password": "x"}, "username"),
        ({"username": None, "password": "x"}, "username"),
        ({"username": {}, "password": "x"}, "username"),
        ({"username": "a\x00", "password": "x"}, "username"),
    ],
    ids=repr,
)
def test_bad_requests_for_a_pair(admin, body, field):
    refused(APIClient(raise_request_exception=False).post(TOKEN, body), 400, field)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "ä", "x" * 10_000])
def test_a_refresh_token_that_is_none(admin, text):
    refused(APIClient(raise_request_exception=False).post(REFRESH, {"refresh": text}), 401 if text else 400)


def test_an_expired_token(signed, admin):
    token = AccessToken.for_user(admin)
    token.set_exp(lifetime=-timedelta(seconds=1))
    answer = signed(f"Bearer {token}").get(TASKS)
    refused(answer, 401, code="token_not_valid")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_an_expired_refresh_token(admin):
    token = RefreshToken.for_user(admin)
    token.set_exp(lifetime=-timedelta(seconds=1))
    refused(APIClient().post(REFRESH, {"refresh": str(token)}), 401, code="token_not_valid")


def test_a_token_of_the_wrong_kind(signed, admin):
    refused(signed(f"Bearer {RefreshToken.for_user(admin)}").get(TASKS), 401, code="token_not_valid")
    refused(APIClient().post(REFRESH, {"refresh": str(AccessToken.for_user(admin))}), 401)


@pytest.mark.parametrize("change", ["inactive", "deleted"])
def test_a_token_of_somebody_who_left(signed, make_user, change):
    user = make_user("ann", is_superuser=True)
    token, refresh = AccessToken.for_user(user), RefreshToken.for_user(user)
    if change == "deleted":
        user.delete()
    else:
        user.is_active = False
        user.save()
    refused(signed(f"Bearer {token}").get(TASKS), 401)
    refused(APIClient(raise_request_exception=False).post(REFRESH, {"refresh": str(refresh)}), 401)


@pytest.mark.parametrize(
    ("key", "algorithm"), [("another key, long enough for the algorithm", "HS256"), (None, "none")]
)
def test_a_forged_token(signed, admin, key, algorithm):
    forged = jwt.encode(AccessToken.for_user(admin).payload, key, algorithm)
    refused(signed(f"Bearer {forged}").get(TASKS), 401, code="token_not_valid")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer a b c", "Bearer x", "Bearer \x00", "Bearer ä"])
def test_malformed_headers(signed, admin, header):
    refused(signed(header).get(TASKS), 401)
