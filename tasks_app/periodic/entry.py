"""django-celery-beat's own entry, by the database's clock: only the library says when something is due."""

from datetime import datetime
from typing import Any

from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry


class Entry(ModelEntry):
    """What it would write to the database stays in the model: who asks holds the row, and writes it."""

    def __init__(self, model: PeriodicTask, now: datetime, fired_at: datetime | None) -> None:
        self._now = now
        super().__init__(model)
        self.schedule.nowfun = lambda: now.astimezone(self.schedule.tz)
        if fired_at:
            # Whoever saves a form writes back the time that he has read, and that may be an old one.
            self.last_run_at = max(model.last_run_at, fired_at)

    def is_due(self) -> tuple[bool, float]:
        if self.model.one_off and self.model.total_run_count:
            self._disable(self.model)
        return super().is_due()

    def _disable(self, model: PeriodicTask) -> None:
        model.enabled = False

    def _default_now(self) -> datetime:
        return self._now

    def message(self) -> dict[str, Any]:
        """What is to be sent; raises TypeError where that makes no message."""
        if not isinstance(self.args, list) or not isinstance(self.kwargs, dict):
            raise TypeError("its arguments must be a JSON list, its keyword arguments a JSON object")
        options = dict(self.options)
        headers = {**options.pop("headers"), "celery_beat_task": True}
        return {"task": self.task, "args": self.args, "kwargs": self.kwargs, "headers": headers, **options}
