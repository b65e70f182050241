"""People with few rights, and clients that sign in as they please."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from access_app.models import ApiKey


@pytest.fixture
def make_user(db: None) -> Callable[..., User]:
    def make(name: str = "ann", *permissions: str, **values: Any) -> User:
        user = User.objects.create_user(name, password="secret", **values)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        return user

    return make


@pytest.fixture
def make_key(db: None) -> Callable[..., str]:
    """Makes a key and returns its text."""

    def make(owner: User, **values: Any) -> str:
        key = ApiKey(name="test", owner=owner, **values)
        text = key.issue()
        key.save()
        return text

    return make


@pytest.fixture
def signed() -> Callable[[str], APIClient]:
    """A client that sends this `Authorization` header."""

    def client(header: str) -> APIClient:
        made = APIClient(raise_request_exception=False)
        made.credentials(HTTP_AUTHORIZATION=header)
        return made

    return client
