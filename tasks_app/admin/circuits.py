"""The admin page of circuits: to look at, to reset."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from tasks_app import actions
from tasks_app.admin import show
from tasks_app.admin.base import ReadOnlyAdmin, ask, finish
from tasks_app.clock import database_now
from tasks_app.models import Circuit, Task, TaskRun
from workers_app.models import WorkerInfo


@admin.register(Circuit)
class CircuitAdmin(ReadOnlyAdmin):
    """Circuits of what has failed lately."""

    empty_hint = "Nothing that has a circuit has failed. A task has one where its field “circuit” is hold or skip."
    list_display = ["target", "colour", "failures", "opened", "retry", "probe"]
    list_filter = ["state"]
    search_fields = ["target"]
    ordering = ["-id"]
    actions = ["reset_selected"]
    actions_detail = ["reset"]
    fieldsets: Any = [
        ("Circuit", {"fields": [("guarded", "state_"), ("failures", "trips"), ("opened_", "retry_"), "probe"]}),
    ]

    opened = show.moment_column("opened_at", "Opened")
    retry = show.moment_column("retry_at", "A run may try from")
    opened_ = show.moment_fact("opened_at", "Opened")
    retry_ = show.moment_fact("retry_at", "A run may try from")

    def has_reset_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "change_circuit")

    @action(
        description="Reset",
        icon="restart_alt",
        permissions=["reset"],
        dialog=ask("Close this circuit?", "What it held up starts at once. Its failures are forgotten.", "Reset"),
    )
    def reset(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            return self.gone(request, object_id)
        self._reset(request, [row])
        return finish(request, self.page_of(row))

    @action(description="Reset: close them", permissions=["reset"])
    def reset_selected(self, request: HttpRequest, queryset: QuerySet[Circuit]) -> None:
        self._reset(request, list(queryset))

    def _reset(self, request: HttpRequest, rows: list[Circuit]) -> None:
        now = database_now()
        for row in rows:
            actions.reset_circuit(row, now)
            self.log_change(request, row, "Reset.")
        self.message_user(request, f"{show.counted(len(rows), 'circuit')} closed.", messages.SUCCESS)

    @display(description="State", ordering="state", label=show.CIRCUIT_COLOURS)
    def colour(self, row: Circuit) -> str:
        return row.state

    @display(description="State")
    def state_(self, row: Circuit) -> str:
        return show.label(row.state, show.CIRCUIT_COLOURS)

    @display(description="Target")
    def guarded(self, row: Circuit) -> str:
        """With a link to the task or worker that it is."""
        kind, _, name = row.target.partition(":")
        thing: Task | WorkerInfo | None = None
        if kind == "task":
            thing = Task.objects.filter(pk=int(name), deleted_at=None).first()
        elif kind == "worker":
            thing = WorkerInfo.objects.filter(name=name).order_by("-id").first()
        return show.link(thing, row.target) if thing else row.target

    @display(description="Probe")
    def probe(self, row: Circuit) -> str:
        return show.link(TaskRun(pk=row.probe_id), str(row.probe_id)) if row.probe_id else show.NOTHING
