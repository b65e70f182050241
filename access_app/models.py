"""Who may do what: namespaces and API keys."""

import hashlib
import secrets

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now

NAMESPACE_NAME = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class Namespace(models.Model):
    """A room of its own for a team's tasks; names of tasks are unique inside it."""

    name = models.CharField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(NAMESPACE_NAME, "Use small letters, digits and hyphens, at most 63.")],
    )
    description = models.TextField(blank=True, default="")
    max_pending = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="At most so many of its runs may be pending; more triggers are refused. Empty: no limit.",
    )
    max_triggers_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="At most so many runs may be triggered in a minute, counted by each web process for itself. "
        "Empty: no limit.",
    )
    weight = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="While slots are short, its share of them beside other namespaces that have runs waiting: with 2 "
        "twice as many as with 1.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self) -> "ApiKeyQuerySet":
        """Keys that may be used now, with their (active) owners."""
        alive = models.Q(expires_at=None) | models.Q(expires_at__gt=Now())
        return self.filter(alive, revoked_at=None, owner__is_active=True).select_related("owner")


class ApiKey(models.Model):
    """A key a program signs in with, as `Authorization: Api-Key <prefix>.<secret>`. Only its digest is kept."""

    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(digest=""), name="api_key_has_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def issue(self) -> str:
        """Give this unsaved key its secret and return the whole key, the only time it can be read."""
        self.prefix = secrets.token_hex(6)
        secret = secrets.token_urlsafe(32)
        self.digest = self.digest_of(secret)
        return f"{self.prefix}.{secret}"

    @staticmethod
    def digest_of(secret: str) -> str:
        """SHA-256 in hex; the secret has 256 random bits, so a slow password hash would add nothing."""
        return hashlib.sha256(secret.encode()).hexdigest()
