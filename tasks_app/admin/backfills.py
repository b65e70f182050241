"""The admin page of backfills: made with their nominal times in view, then only looked at or cancelled."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from tasks_app import actions
from tasks_app.admin import show
from tasks_app.admin.base import Admin, ask, finish, named
from tasks_app.admin.preview import living, refusal
from tasks_app.backfilling import chosen
from tasks_app.clock import database_now
from tasks_app.models import Backfill, TaskRun

SHOWN = 50
"""Nominal times, of those that come first."""


class BackfillForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses what there is nothing to make up for."""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            wish = Backfill(**{name: values[name] for name in ("task", "since", "until", "which", "order")})
            self.times = chosen(wish.task, wish, database_now())
            if not self.times:
                self.add_error("since", "There is nothing to make up for in this span.")
        return values


@admin.register(Backfill)
class BackfillAdmin(Admin):
    """Nominal times that are made up for."""

    form = BackfillForm
    empty_hint = "A backfill runs nominal times of a task that have gone by: those it missed, that failed, or all."
    list_display = ["span", "which", "order", "parallel", "colour", "progress", "created"]
    list_filter = ["status", "which"]
    list_select_related = ["task"]
    search_fields = ["task__name"]
    ordering = ["-id"]
    autocomplete_fields = ["task"]
    actions_detail = ["cancel"]
    fieldsets: Any = [
        ("What", {"fields": ["task", ("since", "until"), ("which", "order", "parallel"), "preview"]}),
    ]
    stored: Any = [
        ("What", {"fields": ["task_link", ("since_", "until_"), ("which", "order", "parallel")]}),
        ("How far it is", {"fields": ["state", "progress", "counts_", "runs_link", ("created_", "completed_")]}),
    ]

    created = show.moment_column("created_at", "Made")
    since_ = show.moment_fact("since", "Since")
    until_ = show.moment_fact("until", "Until")
    created_ = show.moment_fact("created_at", "Made")
    completed_ = show.moment_fact("completed_at", "Over")

    class Media:
        js = ["tasks_app/schedule_preview.js"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.stored if obj else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return named(self.stored) if obj else ["preview"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "change_backfill")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Cancel what is running."""
        row = self.get_object(request, str(object_id))
        return super().get_actions_detail(request, object_id) if row and row.status == "running" else []

    def get_urls(self) -> list[URLPattern]:
        own = path("preview/", self.admin_site.admin_view(self.preview_view), name="tasks_app_backfill_preview")
        return [own, *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the form would make up for, which is not to be saved."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        return HttpResponse(_listed(form.times) if form.is_valid() else refusal(form.errors))

    def save_model(self, request: HttpRequest, obj: Backfill, form: Any, change: bool) -> None:
        actions.backfill(obj, database_now(), request.user)

    @action(
        description="Cancel",
        icon="cancel",
        permissions=["cancel"],
        variant=ActionVariant.DANGER,
        dialog=ask(
            "Cancel this backfill?", "No further run is made, and those that are open are cancelled.", "Cancel it"
        ),
    )
    def cancel(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            return self.gone(request, object_id)
        try:
            actions.cancel_backfill(row, database_now())
        except actions.NotPossible as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.log_change(request, row, "Cancelled.")
            self.message_user(request, "The backfill was cancelled.", messages.SUCCESS)
        return finish(request, self.page_of(row))

    @display(description="Task and span")
    def span(self, row: Backfill) -> str:
        return str(row)

    @display(description="Task")
    def task_link(self, row: Backfill) -> str:
        return show.link(row.task)

    @display(description="Status", ordering="status", label=show.BACKFILL_COLOURS)
    def colour(self, row: Backfill) -> str:
        return row.status

    @display(description="Status")
    def state(self, row: Backfill) -> str:
        return show.label(row.status, show.BACKFILL_COLOURS)

    @display(description="Runs made")
    def progress(self, row: Backfill) -> str:
        return f"{row.position:,} of {row.total:,}"

    @display(description="Of these")
    def counts_(self, row: Backfill) -> str:
        return ", ".join(f"{number:,} {status}" for status, number in row.counts.items()) or show.NOTHING

    @display(description="Runs")
    def runs_link(self, row: Backfill) -> str:
        return show.listing(TaskRun, "All runs of this backfill", backfill=row.pk)

    @display(description="Nominal times")
    def preview(self, row: Backfill) -> str:
        return living(refusal({}), "admin:tasks_app_backfill_preview")


def _listed(times: list[Any]) -> SafeString:
    context = {"times": [show.moment(at) for at in times[:SHOWN]], "total": len(times), "more": len(times) - SHOWN}
    return render_to_string("tasks_app/admin/backfill_preview.html", context)
