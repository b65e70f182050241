"""The Celery app of beat (our dispatcher) and Flower: `celery -A scheduler_project beat`."""

import os

import django
from celery import Celery
from django.conf import settings

from workers_app import environment
from workers_app.messaging import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scheduler_project.settings")

django.setup()
app = Celery("scheduler")
broker.beat_url()
broker.configure(app, beat_scheduler="tasks_app.dispatch.scheduler:Dispatcher", timezone=settings.CELERY_TIMEZONE)
environment.refuse_problems()
