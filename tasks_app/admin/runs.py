"""The admin page of runs: to look at, to cancel, to retry."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from tasks_app.admin import show
from tasks_app.admin.base import LinkedFilter
from tasks_app.admin.run_actions import RunActions
from tasks_app.admin.run_log import log_of
from tasks_app.clock import database_now
from tasks_app.explaining import explain
from tasks_app.models import Backfill, FlowRun, RunAttempt, Task, TaskRun
from workers_app.models import WorkerInfo

PERIODS = {"1": "Last hour", "24": "Last 24 hours", "168": "Last 7 days", "720": "Last 30 days"}


class TaskFilter(LinkedFilter):
    title = "task"
    parameter_name = "task"
    model = Task


class BackfillFilter(LinkedFilter):
    title = "backfill"
    parameter_name = "backfill"
    model = Backfill


class FlowFilter(LinkedFilter):
    title = "flow"
    parameter_name = "flow"
    model = FlowRun


class WorkerFilter(LinkedFilter):
    title = "worker"
    parameter_name = "worker"
    model = WorkerInfo


class CreatedFilter(admin.SimpleListFilter):
    title = "created"
    parameter_name = "hours"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(PERIODS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> QuerySet[TaskRun]:
        hours = self.value()
        since = database_now() - timedelta(hours=int(hours)) if hours in PERIODS else None
        return queryset.filter(created_at__gte=since) if since else queryset


class AttemptInline(TabularInline):
    """The tries that did not end the run well."""

    model = RunAttempt
    verbose_name_plural = "Attempts that did not end it well"
    extra = 0
    max_num = 0
    can_delete = False
    if hasattr(TabularInline, "hide_title"):  # unfold before 0.100
        hide_title = True
    else:
        show_title = False
    fields = ["attempt", "host", "reason", "exit_code", "problem", "assigned", "started", "completed"]
    readonly_fields = fields
    ordering = ["attempt"]
    assigned = show.moment_column("assigned_at", "Assigned")
    started = show.moment_column("started_at", "Started")
    completed = show.moment_column("completed_at", "Ended")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunAttempt]:
        attempts: QuerySet[RunAttempt] = super().get_queryset(request).select_related("worker")
        return attempts

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are part of the run, as in the API."""
        return request.user.has_perm("tasks_app.view_taskrun")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="Worker")
    def host(self, attempt: RunAttempt) -> str:
        return attempt.worker.name if attempt.worker else show.NOTHING

    @display(description="Error")
    def problem(self, attempt: RunAttempt) -> str:
        return attempt.error or show.NOTHING


@admin.register(TaskRun)
class RunAdmin(RunActions):
    """What was meant to run, and what became of it."""

    empty_hint = "A run appears here when a task's schedule fires, or when you choose “Run now” on a task."
    list_display = [
        "short_id", "task", "colour", "reason", "origin", "attempt", "worker", "due", "started", "took", "exit",
    ]  # fmt: skip
    list_filter = [
        "status",
        "origin",
        "task__executor",
        CreatedFilter,
        TaskFilter,
        WorkerFilter,
        BackfillFilter,
        FlowFilter,
    ]
    list_disable_select_all = True
    show_full_result_count = False
    search_fields = ["task__name"]
    search_help_text = "Task name, or run id (8 characters or more)"
    ordering = ["-id"]
    sortable_by = ["short_id"]  # any other order would have to sort the whole table
    paginator = InfinitePaginator  # counts nothing
    show_facets = admin.ShowFacets.NEVER
    inlines = [AttemptInline]
    change_form_outer_after_template = "tasks_app/admin/run_log.html"
    fieldsets: Any = [
        ("Run", {"fields": [
            ("task_link", "state", "reason"), ("origin", "attempt", "exit_code"), ("worker_link", "by", "again"),
            "flow_link",
        ]}),
        ("Times", {"fields": [
            ("due_at", "created"), ("available", "assigned"), ("started_at_", "completed"),
            ("took", "cancel_requested"),
        ]}),
        ("Why", {"fields": ["why"]}),
        ("Input and output", {"fields": ["params_", "error_", "result_"]}),
        ("More", {"classes": ["collapse"], "fields": [
            ("id", "idempotency_key"), ("priority", "failures", "losses"), "placement",
        ]}),
    ]  # fmt: skip

    class Media:
        js = ["tasks_app/run_log.js"]

    due = show.moment_column("scheduled_for", "Scheduled", show.SHORT)
    started = show.moment_column("started_at", "Started", show.SHORT)
    due_at = show.moment_fact("scheduled_for", "Scheduled for")
    created = show.moment_fact("created_at", "Created")
    available = show.moment_fact("available_at", "May start from")
    assigned = show.moment_fact("assigned_at", "Assigned")
    started_at_ = show.moment_fact("started_at", "Started")
    completed = show.moment_fact("completed_at", "Ended")
    cancel_requested = show.moment_fact("cancel_requested_at", "Cancel requested")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskRun]:
        """Each with all that its row or page names."""
        runs: QuerySet[TaskRun] = super().get_queryset(request)
        named = ("worker", "created_by", "retry_of", "flow__task", "task__calendar", "task__own_pause__paused_by")
        return runs.select_related("task", *named).prefetch_related("retries")

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        """No empty table for a run whose first attempt went well."""
        return list(self.inlines) if obj and obj.attempts.exists() else []

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[TaskRun], search_term: str) -> Any:
        """An id or its beginning is found by the primary key's index, a name as usual."""
        digits = search_term.strip().replace("-", "").lower()
        if re.fullmatch("[0-9a-f]{8,32}", digits):
            found = queryset.filter(pk__range=(UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))))
            if found.exists():
                return found, False
        return super().get_search_results(request, queryset, search_term)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        seen = run is not None and self.has_view_permission(request, run) and self.allows(request, "view_runlog")
        context = {"log": log_of(run) if seen else None, "title": f"Run of {run.task}" if run else ""}
        answer: HttpResponse = super().change_view(request, object_id, form_url, (extra_context or {}) | context)
        return answer

    @display(description="Run", ordering="id")
    def short_id(self, run: TaskRun) -> str:
        text = str(run.pk)
        return format_html('<span class="mono" title="{}">{}…{}</span>', text, text[:8], text[-4:])

    @display(description="Status", label=show.RUN_COLOURS)
    def colour(self, run: TaskRun) -> str:
        return run.status

    @display(description="Status")
    def state(self, run: TaskRun) -> str:
        return show.label(run.status, show.RUN_COLOURS)

    @display(description="Exit", empty_value=show.NOTHING)
    def exit(self, run: TaskRun) -> int | None:
        return run.exit_code

    @display(description="Duration")
    def took(self, run: TaskRun) -> str:
        return show.duration(run.started_at, run.completed_at)

    @display(description="Task")
    def task_link(self, run: TaskRun) -> str:
        return f"{run.task} (deleted)" if run.task.deleted_at else show.link(run.task)

    @display(description="Worker")
    def worker_link(self, run: TaskRun) -> str:
        return show.link(run.worker)

    @display(description="Triggered by")
    def by(self, run: TaskRun) -> str:
        return str(run.created_by) if run.created_by else show.NOTHING

    @display(description="Flow")
    def flow_link(self, run: TaskRun) -> str:
        return show.link(run.flow, f"of {run.flow.task}") if run.flow else show.NOTHING

    @display(description="Why it is not running")
    def why(self, run: Any) -> str:
        """Asked once, though unfold asks for a field several times."""
        if not hasattr(run, "explanation"):
            run.explanation = explain(run, database_now())
        return render_to_string("tasks_app/admin/explanation.html", {"found": run.explanation})

    @display(description="Retries")
    def again(self, run: TaskRun) -> str:
        """The run this one retries, and those that retry it."""
        before = [("Retry of ", show.link(run.retry_of))] if run.retry_of else []
        after = [("Retried by ", show.link(each)) for each in run.retries.all()]
        return format_html_join("", "<div>{}{}</div>", [*before, *after]) or show.NOTHING

    @display(description="Parameters")
    def params_(self, run: TaskRun) -> str:
        return show.pretty(run.params)

    @display(description="Error")
    def error_(self, run: TaskRun) -> str:
        return show.preformatted(run.error)

    @display(description="Result")
    def result_(self, run: TaskRun) -> str:
        return show.pretty(run.result)
