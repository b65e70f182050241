"""The worker process: `celery -A workers_app.agent worker`. Knows no Django and no database."""

from workers_app.agent.app import app

__all__ = ["app"]
