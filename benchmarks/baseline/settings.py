"""Django's settings of the baseline; `DATABASE_URL`, `BROKER_URL` `QUEUE` and `TUNED` come from the environment."""

import os

import dj_database_url

SECRET_KEY = "only for benchmarks"  # noqa: S105
TUNED = os.environ.get("TUNED") == "1"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django_celery_beat",
    "django_celery_results",
]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=None if TUNED else 0)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = os.environ["BROKER_URL"]
CELERY_TASK_DEFAULT_QUEUE = os.environ["QUEUE"]
CELERY_RESULT_BACKEND = "django-db"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
if TUNED:
    CELERY_WORKER_PREFETCH_MULTIPLIER = 64
    CELERY_WORKER_SEND_TASK_EVENTS = False
    CELERY_TASK_SEND_SENT_EVENT = False
    CELERY_TASK_TRACK_STARTED = False
    CELERY_WORKER_DISABLE_RATE_LIMITS = True
    CELERY_TASK_ACKS_LATE = False
    CELERY_RESULT_EXTENDED = False
    CELERY_EVENT_QUEUE_EXPIRES = 10
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_keepalive": True}
