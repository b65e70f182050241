"""The admin page of workers: to look at, to drain."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display

from tasks_app.admin import show
from tasks_app.admin.base import ReadOnlyAdmin, ask, finish
from tasks_app.models import ACTIVE, TaskRun, set_aside_until
from workers_app import registry
from workers_app.models import WorkerInfo

RUNS = 100
"""Running runs that a worker's page lists."""


@admin.register(WorkerInfo)
class WorkerAdmin(ReadOnlyAdmin):
    """Workers that are alive, and the last incarnation of those that are gone."""

    empty_hint = "No worker has reported yet. Start one with: celery -A workers_app.agent worker"
    list_display = ["name", "colour", "slots", "tags", "kinds", "heard", "aside"]
    list_filter = ["status", "draining"]
    search_fields = ["name", "hostname"]
    ordering = ["name", "-id"]
    actions = ["drain_selected", "undrain_selected"]
    actions_detail = ["drain", "undrain"]
    fieldsets: Any = [
        (
            "Worker",
            {
                "fields": [
                    ("name", "state"),
                    ("slots", "kinds", "serves"),
                    ("cpu_percent", "memory_percent"),
                    *("tags", "running", "history"),
                ]
            },
        ),
        ("Life", {"fields": [("heard_at", "lease_until_"), ("started", "set_aside"), ("hostname", "pid"), "boot_id"]}),
    ]

    heard = show.moment_column("last_heartbeat", "Last heartbeat")
    aside = show.moment_column("set_aside_until", "Set aside until")
    heard_at = show.moment_fact("last_heartbeat", "Last heartbeat")
    lease_until_ = show.moment_fact("lease_until", "Lease until")
    set_aside = show.moment_fact("set_aside_until", "Set aside until")
    started = show.moment_fact("started_at", "First seen")

    def get_queryset(self, request: HttpRequest) -> QuerySet[WorkerInfo]:
        return registry.listed().annotate(set_aside_until=set_aside_until())

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> WorkerInfo | None:
        """Old incarnations too: runs point at them."""
        workers = WorkerInfo.objects.annotate(set_aside_until=set_aside_until())
        return workers.filter(pk=int(object_id)).first() if object_id.isdecimal() else None

    def has_drain_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "change_workerinfo")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the one that does something."""
        worker = self.get_object(request, str(object_id))
        if worker is None or worker.status == WorkerInfo.Status.OFFLINE:
            return []
        wanted = "_undrain" if worker.draining else "_drain"
        return [each for each in super().get_actions_detail(request, object_id) if each.action_name.endswith(wanted)]

    @action(
        description="Drain",
        icon="block",
        permissions=["drain"],
        dialog=ask("Drain this worker?", "It takes no new runs; what runs may end.", "Drain"),
    )
    def drain(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._one(request, object_id, WorkerInfo.drain, "draining: no new runs")

    @action(
        description="Undrain",
        icon="check_circle",
        permissions=["drain"],
        dialog=ask("Let this worker take runs again?", "It is given new runs at once.", "Undrain"),
    )
    def undrain(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._one(request, object_id, WorkerInfo.undrain, "taking runs again")

    def _one(
        self, request: HttpRequest, object_id: str, change: Callable[[WorkerInfo], bool], now: str
    ) -> HttpResponse:
        worker = self.get_object(request, object_id)
        if worker is None:
            return self.gone(request, object_id)
        self._change(request, [worker], change, now)
        return finish(request, self.page_of(worker))

    @action(description="Drain: no new runs", permissions=["drain"])
    def drain_selected(self, request: HttpRequest, queryset: QuerySet[WorkerInfo]) -> None:
        self._change(request, list(queryset), WorkerInfo.drain, "draining: no new runs")

    @action(description="Undrain: take runs again", permissions=["drain"])
    def undrain_selected(self, request: HttpRequest, queryset: QuerySet[WorkerInfo]) -> None:
        self._change(request, list(queryset), WorkerInfo.undrain, "taking runs again")

    def _change(
        self, request: HttpRequest, workers: list[WorkerInfo], change: Callable[[WorkerInfo], bool], now: str
    ) -> None:
        """Change each worker; say how many, and which are gone."""
        gone = [worker.name for worker in workers if not change(worker)]
        if done := len(workers) - len(gone):
            self.message_user(request, f"{show.counted(done, 'worker')} {now}.", messages.SUCCESS)
        if gone:
            self.message_user(request, f"Offline, so nothing was changed: {', '.join(gone)}.", messages.ERROR)

    @display(description="Status", ordering="status", label=show.WORKER_COLOURS)
    def colour(self, worker: WorkerInfo) -> str:
        return worker.status

    @display(description="Status")
    def state(self, worker: WorkerInfo) -> str:
        return show.label(worker.status, show.WORKER_COLOURS)

    @display(description="Slots used", ordering="current_tasks")
    def slots(self, worker: WorkerInfo) -> str:
        bar = '<span class="slots"><meter max="{}" value="{}" aria-label="Slots used"></meter>{} of {}</span>'
        used, most = worker.current_tasks, worker.max_tasks
        return format_html(bar, most, used, used, most)

    @display(description="Labels")
    def tags(self, worker: WorkerInfo) -> str:
        return ", ".join(f"{key}={value}" for key, value in sorted(worker.labels.items())) or show.NOTHING

    @display(description="Executors")
    def kinds(self, worker: WorkerInfo) -> str:
        return ", ".join(worker.executors) or show.NOTHING

    @display(description="Namespaces")
    def serves(self, worker: WorkerInfo) -> str:
        return ", ".join(worker.namespaces) or "all"

    @display(description="Runs it holds now")
    def running(self, worker: WorkerInfo) -> str:
        runs = worker.runs.filter(status__in=ACTIVE).select_related("task").order_by("id")[:RUNS]
        rows = ((show.link(run, f"{run.task} · {run.pk}"), show.label(run.status, show.RUN_COLOURS)) for run in runs)
        return format_html_join("", "<div>{} {}</div>", rows) or "None."

    @display(description="History")
    def history(self, worker: WorkerInfo) -> str:
        return show.listing(TaskRun, "All runs of this worker", worker=worker.pk)
