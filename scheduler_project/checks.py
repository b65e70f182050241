"""`manage.py check`: what is wrong with the environment, by the names of the variables."""

from typing import Any

from django.core import checks

from workers_app import environment
from workers_app.messaging import broker


@checks.register
def environment_is_complete(**_: Any) -> list[checks.CheckMessage]:
    """An error for each variable that is missing or cannot be used."""
    broker.beat_url()
    broker.url()
    return [checks.Error(problem, id="scheduler.E001") for problem in dict.fromkeys(environment.problems)]
