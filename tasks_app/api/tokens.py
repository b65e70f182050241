"""`/api/v1/auth/`."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from rest_framework_simplejwt import serializers, views
from rest_framework_simplejwt.exceptions import InvalidToken

from tasks_app.api.parsing import JSONBody


class PairSerializer(serializers.TokenObtainPairSerializer):
    """Takes a password as it is: white space at its ends is a part of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].trim_whitespace = False  # type: ignore[attr-defined]


class RefreshSerializer(serializers.TokenRefreshSerializer):
    """Knows that a user may have been deleted since."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        try:
            return super().validate(attrs)
        except ObjectDoesNotExist as error:
            raise InvalidToken from error


class PairView(JSONBody, views.TokenObtainPairView):
    """Sign in with name and password: a token for requests and one to renew it with."""

    serializer_class = PairSerializer


class RefreshView(JSONBody, views.TokenRefreshView):
    """Renew the token for requests."""

    serializer_class = RefreshSerializer
