"""The settings of a process that serves no page: models, and nothing that shows them."""

from scheduler_project.settings import *  # noqa: F403
from scheduler_project.settings import MODEL_APPS

INSTALLED_APPS = MODEL_APPS
# Celery has Django check all addresses when it starts, which would load the admin and the REST API after all.
ROOT_URLCONF = None  # type: ignore[assignment]
