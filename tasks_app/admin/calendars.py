"""The admin page of calendars."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from tasks_app import calendar_actions
from tasks_app.admin import show
from tasks_app.admin.base import Admin, ask, finish
from tasks_app.calendars import CalendarError
from tasks_app.clock import database_now
from tasks_app.models import Calendar, Task

ROWS = {"description": 2, "closed": 8, "open": 4}
"""Height of the text areas."""
SHOWN_DAYS = 20
AHEAD = timedelta(days=366)


class CalendarForm(forms.ModelForm):  # type: ignore[type-arg]
    """The model checks the calendar; here is only what belongs to the form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, rows in ROWS.items():
            if name in self.fields:
                self.fields[name].widget.attrs["rows"] = rows

    def clean_closed(self) -> str:
        return str(self.cleaned_data["closed"]).replace("\r\n", "\n")

    def clean_open(self) -> str:
        return str(self.cleaned_data["open"]).replace("\r\n", "\n")


class IcsForm(BaseDialogForm):
    """Asks for a file of another calendar."""

    ics = forms.CharField(
        label="The text of the file",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "placeholder": "BEGIN:VCALENDAR …"}),
    )
    field = forms.ChoiceField(
        label="Its events are",
        choices=[("closed", "closed"), ("open", "open")],
        widget=UnfoldAdminSelectWidget(choices=[("closed", "closed"), ("open", "open")]),
    )


@admin.register(Calendar)
class CalendarAdmin(Admin):
    """Which days and hours are closed."""

    form = CalendarForm
    empty_hint = "A calendar says on which days and hours tasks do not fire: weekends, public holidays, maintenance."
    list_display = ["name", "namespace", "kind", "for_all", "users", "next_closed"]
    list_filter = ["kind", "for_all", "namespace"]
    list_select_related = ["namespace"]
    search_fields = ["name"]
    actions_detail = ["import_ics"]
    readonly_fields = ["closed_days", "tasks_link", "created", "updated"]
    warn_unsaved_form = True
    fieldsets: Any = [
        ("Calendar", {"fields": [("name", "namespace"), "description", ("kind", "timezone"), "for_all"]}),
        ("Days and hours", {"fields": ["closed", "open"]}),
    ]

    created = show.moment_fact("created_at", "Created")
    updated = show.moment_fact("updated_at", "Last changed")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """A stored calendar also shows what follows from it."""
        follows = ("What follows", {"fields": ["closed_days", "tasks_link", ("created", "updated")]})
        return [*self.fieldsets, follows] if obj else self.fieldsets

    def save_model(self, request: HttpRequest, obj: Calendar, form: Any, change: bool) -> None:
        calendar_actions.save(obj, database_now())

    def delete_model(self, request: HttpRequest, obj: Calendar) -> None:
        calendar_actions.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for calendar in queryset:
            calendar_actions.delete(calendar)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the confirmation page lists; tasks that use a calendar keep it from being deleted."""
        calendars = list(objs)
        using = Task.objects.filter(calendar__in=calendars, deleted_at=None).order_by("name")
        protected = [f"Task: {name}" for name in using.values_list("name", flat=True)[:20]]
        return [str(each) for each in calendars], {"calendars": len(calendars)}, set(), protected

    @action(
        description="Import a calendar",
        url_path="import-ics",
        icon="upload",
        permissions=["change"],
        dialog=ask(
            "Import another calendar",
            "Paste an iCalendar file (.ics). Its events become lines; those that are there already do not come twice.",
            "Import",
            IcsForm,
        ),
    )
    def import_ics(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        calendar = self.get_object(request, object_id)
        if calendar is None:
            return self.gone(request, object_id)
        try:
            calendar_actions.import_ics(
                calendar, form.cleaned_data["ics"], database_now(), field=form.cleaned_data["field"]
            )
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        else:
            self.log_change(request, calendar, "Imported another calendar.")
            self.message_user(request, "The events were taken over.", messages.SUCCESS)
        return finish(request, self.page_of(calendar))

    @display(description="Tasks")
    def users(self, calendar: Calendar) -> str:
        return show.counted(calendar.tasks.filter(deleted_at=None).count(), "task")

    @display(description="Tasks")
    def tasks_link(self, calendar: Calendar) -> str:
        return show.listing(Task, "Tasks that use it", calendar__id__exact=calendar.pk)

    @display(description="Next closed day")
    def next_closed(self, calendar: Calendar) -> str:
        return next((f"{day:%a %Y-%m-%d} {name}" for day, name in _closed_days(calendar)), show.NOTHING)

    @display(description="Days that are closed next")
    def closed_days(self, calendar: Calendar) -> str:
        days = [(f"{day:%a %Y-%m-%d} {name}",) for day, name in _closed_days(calendar)[:SHOWN_DAYS]]
        return format_html_join("", "<div>{}</div>", days) or "No whole day in the next year."


def _closed_days(calendar: Calendar) -> list[tuple[Any, str]]:
    """Of the next year; none where it cannot be read."""
    today = database_now().date()
    try:
        return calendar.read().closed_days(today, today + AHEAD)
    except CalendarError:
        return []
