"""The dispatcher's turn at django-celery-beat's rows; where there are none, it is one small statement a second."""

import time
from collections.abc import Callable
from datetime import datetime

from django.apps import apps
from django.conf import settings

from tasks_app.periodic.changes import Prospect, look, sync
from tasks_app.periodic.post import Post

APP = "django_celery_beat"
POLL_SECONDS = 1.0
"""An edit takes effect within so long."""
SYNC_SECONDS = 300.0
"""What was edited in bulk without its marker is noticed after so long, as by its own scheduler."""
HELD_SECONDS = 0.05
"""What others hold at the moment is let alone for so long."""
SEND_SECONDS = 0.25
"""At a time, as our own runs wait meanwhile."""


class Periodic:
    """One dispatcher's share."""

    def __init__(self) -> None:
        self._post = Post()
        self._turn_at = self._sync_at = 0.0
        self._marker: object = None

    def turn(self, now: datetime) -> float:
        """Do what is due; return in how many seconds there is more."""
        if time.monotonic() >= self._turn_at:
            self._turn_at = time.monotonic() + self._work(now)
        return max(0.0, self._turn_at - time.monotonic())

    def _work(self, now: datetime) -> float:
        held, prospect = False, look()
        if prospect.marker != self._marker or time.monotonic() >= self._sync_at:
            sync(now)
            self._marker, self._sync_at = prospect.marker, time.monotonic() + SYNC_SECONDS
            prospect = look()
        if prospect.next_check and prospect.next_check <= now:
            held = not _library()(now)
            prospect = look()
        more = prospect.mail and self._post.send(SEND_SECONDS)
        return 0.0 if more else max(_until(prospect, now), HELD_SECONDS if held else 0.0)

    def close(self) -> None:
        """Hang up."""
        self._post.close()


def _library() -> Callable[[datetime], int]:
    """`fire`, and with it the library's models. Late, as nobody needs the 3 MB who has no such rows."""
    if not apps.is_installed(APP):
        apps.set_installed_apps([*settings.INSTALLED_APPS, APP])
    from tasks_app.periodic.fire import fire  # noqa: PLC0415

    return fire


def _until(prospect: Prospect, now: datetime) -> float:
    if prospect.next_check is None:
        return POLL_SECONDS
    return min(max(0.0, (prospect.next_check - now).total_seconds()), POLL_SECONDS)
