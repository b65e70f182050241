"""The admin page of pauses: of namespaces and labels, and a look at those of single tasks."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from tasks_app import actions
from tasks_app.admin import show
from tasks_app.admin.base import Admin, ask, finish, named
from tasks_app.clock import database_now
from tasks_app.models import Pause


class PauseForm(ModelForm):  # type: ignore[type-arg]
    """A time that has gone by is refused here, before anything is stored."""

    def clean_until(self) -> Any:
        until = self.cleaned_data["until"]
        if until and until <= database_now():
            raise ValidationError("This has gone by already; leave it out, or say a later time.")
        return until

    def _get_validation_exclusions(self) -> set[str]:
        """One that there is already is replaced."""
        return super()._get_validation_exclusions() | {"namespace", "label"}  # type: ignore[misc]


@admin.register(Pause)
class PauseAdmin(Admin):
    """What is paused, why, and until when."""

    form = PauseForm
    empty_hint = "Nothing is paused. Pause one task on its page; all of a namespace, or all with a label, here."
    list_display = ["scope", "reason", "colour", "ends", "since", "paused_by"]
    list_filter = ["drain", "namespace"]
    list_select_related = ["task", "namespace", "paused_by"]
    search_fields = ["label", "reason", "task__name"]
    ordering = ["-id"]
    actions = ["resume_selected"]
    actions_detail = ["resume"]
    fieldsets: Any = [("Pause", {"fields": [("namespace", "label"), "reason", ("until", "drain")]})]
    stored: Any = [("Pause", {"fields": ["scope", "reason", ("until_", "drain"), ("since_", "paused_by")]})]

    since = show.moment_column("paused_at", "Since")
    ends = show.moment_column("until", "Until")
    since_ = show.moment_fact("paused_at", "Since")
    until_ = show.moment_fact("until", "Until")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.stored if obj else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return named(self.stored) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_resume_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "delete_pause")

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        obj.paused_by = request.user  # type: ignore[assignment]
        obj.pk = actions.pause_many(obj, database_now()).pk

    @action(
        description="Resume",
        icon="resume",
        permissions=["resume"],
        dialog=ask("Resume?", "Tasks fire again; what went by runs as their “after resume” says.", "Resume"),
    )
    def resume(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            return self.gone(request, object_id)
        self.resume_selected(request, Pause.objects.filter(pk=row.pk))
        return finish(request, self.page_of(row).partition("/pause/")[0] + "/pause/")

    @action(description="Resume", permissions=["resume"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        now, rows = database_now(), list(queryset)
        for row in rows:
            self.log_deletions(request, Pause.objects.filter(pk=row.pk))
            actions.end_pause(row, now)
        self.message_user(request, f"{show.counted(len(rows), 'pause')} ended.", messages.SUCCESS)

    @display(description="What")
    def scope(self, row: Pause) -> str:
        return show.link(row.task, str(row)) if row.task else str(row)

    @display(description="How", label={"drain": "info", "full": "warning"})
    def colour(self, row: Pause) -> str:
        return "drain" if row.drain else "full"
