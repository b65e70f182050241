from django.apps import AppConfig

from scheduler_project import checks

__all__ = ["checks"]


class SchedulerProjectConfig(AppConfig):
    name = "scheduler_project"
