"""`Authorization: Api-Key <key>` for the REST API."""

import hmac
import time
from functools import lru_cache

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access_app.models import ApiKey

REMEMBERED_SECONDS = 1.0
"""So long a key that was valid is taken as valid without asking the database again; so long a revoked one may work."""
REMEMBERED_KEYS = 1000


class ApiKeyAuthentication(BaseAuthentication):
    """Signs in the owner of a valid key."""

    keyword = b"api-key"

    def authenticate(self, request: Request):  # type: ignore[no-untyped-def]
        """Return `(owner, key)`, or None where another scheme is used; raises `AuthenticationFailed`."""
        scheme, _, key = get_authorization_header(request).partition(b" ")
        if scheme.lower() != self.keyword:
            return None
        prefix, _, secret = key.strip().decode("latin-1").partition(".")
        found = _valid(prefix, time.monotonic() // REMEMBERED_SECONDS) if prefix.isalnum() else None
        if not found or not hmac.compare_digest(found.digest, ApiKey.digest_of(secret)):
            raise AuthenticationFailed("This API key is unknown, expired or revoked.")
        return found.owner, found

    def authenticate_header(self, request: Request) -> str:
        return "Api-Key"


@lru_cache(REMEMBERED_KEYS)
def _valid(prefix: str, now: float) -> ApiKey | None:
    """The key, as it was when it was first asked for in this span of time: a busy client asks hundreds of times."""
    return ApiKey.objects.valid().filter(prefix=prefix).first()


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Describes the scheme in the OpenAPI document."""

    target_class = ApiKeyAuthentication
    name = "ApiKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Api-Key <key>`"}
