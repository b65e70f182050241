from django.apps import AppConfig

from workers_app.messaging import broker


class TasksAppConfig(AppConfig):
    name = "tasks_app"
    verbose_name = "Scheduling"

    def ready(self) -> None:
        """Whatever this process tells the others goes out sealed."""
        broker.install_seal()
