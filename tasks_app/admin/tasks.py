"""The admin page of tasks."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import JSONField, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.decorators import display

from tasks_app import actions, pausing, schedule
from tasks_app.admin import show
from tasks_app.admin.base import named
from tasks_app.admin.preview import living, preview, refusal
from tasks_app.admin.task_actions import TaskActions
from tasks_app.admin.task_form import IndentedJSONField, TaskForm
from tasks_app.clock import database_now
from tasks_app.models import Task, TaskRun
from tasks_app.schedule import SPEC_FIELDS

PREVIEWED = (*SPEC_FIELDS, "schedules", "calendar", "on_closed")


@admin.register(Task)
class TaskAdmin(TaskActions):
    """Definitions of what should run."""

    form = TaskForm
    formfield_overrides = {JSONField: {"form_class": IndentedJSONField}}
    empty_hint = "A task says what should run, and when. Add the first one, or create it over the API."
    list_display = ["name", "namespace", "executor", "plan", "timezone", "colour", "next_fire", "last_run"]
    list_filter = ["status", "executor", "namespace", ("calendar", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["namespace", "calendar"]
    search_fields = ["name"]
    ordering = ["namespace_id", "name"]
    show_full_result_count = False
    readonly_fields = ["preview", "held", "runs_link", "backfill_link", "managed_by", "created", "updated"]
    warn_unsaved_form = True

    class Media:
        js = ["tasks_app/schedule_preview.js"]

    fieldsets = [
        ("What", {"fields": [("name", "namespace"), "description", "executor", "command", "config"]}),
        ("When", {"fields": ["schedule", ("timezone", "status"), ("calendar", "on_closed"), "preview"]}),
        (
            "More about when",
            {
                "classes": ["collapse"],
                "fields": [
                    ("starts_at", "ends_at"),
                    ("dialect", "every_nth", "spread_seconds"),
                    ("dst_gap", "dst_overlap"),
                    "schedules",
                    ("after_outage", "after_resume"),
                    ("catch_up_runs", "catch_up_seconds"),
                ],
            },
        ),
        (
            "Limits",
            {
                "fields": [
                    ("timeout_seconds", "max_attempts"),
                    ("retry_delay_seconds", "retry_max_delay_seconds"),
                    ("retry_on", "never_retry_on"),
                    "pause_after_failures",
                    "delivery",
                    "circuit",
                    ("circuit_failures", "circuit_seconds"),
                ]
            },
        ),
        (
            "After other tasks",
            {
                "classes": ["collapse"],
                "fields": ["depends_on", ("depend_on", "trigger_rule"), "inputs", "flow_timeout_seconds"],
            },
        ),
        ("As many", {"classes": ["collapse"], "fields": [("fan_out", "fan_out_parallel")]}),
        (
            "Waiting for others",
            {
                "classes": ["collapse"],
                "fields": [
                    ("overlap", "max_parallel", "max_queued"),
                    "mutex",
                    "pools",
                    ("rate_count", "rate_seconds"),
                    "rate_key",
                    ("unique_seconds", "unique_key"),
                ],
            },
        ),
        ("Where", {"fields": [("strategy", "priority"), "worker_labels", "labels"]}),
        ("More about where", {"classes": ["collapse"], "fields": ["excluded_labels", "preferred_labels"]}),
    ]

    created = show.moment_fact("created_at", "Created")
    updated = show.moment_fact("updated_at", "Last changed")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What a file says of a task can be changed there only."""
        if not (obj and obj.managed_by):
            return self.readonly_fields
        shown = (name for name in named(self.fieldsets) if name not in ("status", *self.readonly_fields))
        return [*self.readonly_fields, *shown]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.managed_by)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A stored task also shows what follows from it."""
        if obj is None:
            return self.fieldsets
        follows = (
            "What follows",
            {"fields": ["held", "runs_link", "backfill_link", "managed_by", ("created", "updated")]},
        )
        return [*self.fieldsets, follows]

    def get_urls(self) -> list[URLPattern]:
        own = path("preview/", self.admin_site.admin_view(self.preview_view), name="tasks_app_task_preview")
        return [own, *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the schedule in a form means, which is not to be saved."""
        if not (self.has_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        form = self.get_form(request, fields=[*PREVIEWED, "name", "namespace", "status"])(request.POST)
        problems = {name: form.errors[name] for name in PREVIEWED if name in form.errors}
        return HttpResponse(refusal(problems) if problems else preview(form.instance))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"executor": "shell", **super().get_changeform_initial_data(request)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        """Tasks that are not deleted, each with its newest run, found by index in the same query."""
        newest = TaskRun.objects.filter(task=OuterRef("pk")).order_by("-id")
        tasks: QuerySet[Task] = super().get_queryset(request).filter(deleted_at=None)
        return tasks.annotate(
            last_run_id=Subquery(newest.values("pk")[:1]), last_run_status=Subquery(newest.values("status")[:1])
        )

    def save_model(self, request: HttpRequest, obj: Task, form: Any, change: bool) -> None:
        actions.save(obj, database_now())

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        actions.delete(obj, database_now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        now = database_now()
        managed = queryset.exclude(managed_by="")
        for task in queryset.filter(managed_by=""):
            actions.delete(task, now)
        if names := [str(task) for task in managed]:
            self.message_user(request, f"Left alone, as files manage them: {', '.join(names)}.", messages.WARNING)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the confirmation page lists. Django's own walks through every run of the tasks, which all stay."""
        tasks = list(objs)
        kept = "Its open runs are cancelled; its history stays."
        listed = [each for task in tasks for each in (format_html("Task: {}", show.link(task)), [kept])]
        return listed, {"tasks": len(tasks)}, set(), []

    @display(description="Schedule", ordering="schedule")
    def plan(self, task: Task) -> str:
        try:
            words = schedule.words(task.plan())
        except schedule.ScheduleError as error:
            words = error.message
        return format_html('<span title="{}">{}</span>', task.schedule, words)

    @display(description="Status", ordering="status", label=show.TASK_COLOURS)
    def colour(self, task: Task) -> str:
        return "held" if task.hold and task.status == Task.Status.ACTIVE else task.status

    @display(description="Next fire (UTC)", ordering="next_fire_at")
    def next_fire(self, task: Task) -> str:
        return show.moment(task.next_fire_at) if not task.is_held else show.NOTHING

    @display(description="Last run")
    def last_run(self, task: Any) -> str:
        if task.last_run_id is None:
            return show.NOTHING
        return show.link(TaskRun(pk=task.last_run_id), show.label(task.last_run_status, show.RUN_COLOURS))

    @display(description="Next fires")
    def preview(self, task: Task) -> str:
        return living(preview(task))

    @display(description="Runs")
    def runs_link(self, task: Task) -> str:
        return show.listing(TaskRun, "All runs of this task", task=task.pk)

    @display(description="Held")
    def held(self, task: Task) -> str:
        found = pausing.shown(task, pausing.general()) if task.is_held else None
        return show.link(found, f"{found}. {found.reason}") if found else show.NOTHING

    @display(description="Missed times")
    def backfill_link(self, task: Task) -> str:
        address = reverse("admin:tasks_app_backfill_add", query={"task": task.pk})
        return format_html('<a class="link" href="{}">Make up for times that have gone by</a>', address)
