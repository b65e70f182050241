"""What one can do to runs on admin pages: cancel, retry; one run or many."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.enums import ActionVariant

from tasks_app import actions
from tasks_app.admin.base import ReadOnlyAdmin, ask, finish
from tasks_app.admin.show import counted, link
from tasks_app.clock import database_now
from tasks_app.models import FINAL, TaskRun

MOST = 1000
"""Runs in one bulk action, as in one API request."""


class RunActions(ReadOnlyAdmin):
    """The actions of `RunAdmin`."""

    actions = ["cancel_selected", "retry_selected"]
    actions_detail = ["cancel", "retry"]

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "change_taskrun")

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "add_taskrun")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Cancel what has not ended, retry what has."""
        run = self.get_object(request, str(object_id))
        useless = "_cancel" if run is None or run.status in FINAL else "_retry"
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(useless)]

    @action(
        description="Cancel",
        icon="cancel",
        permissions=["cancel"],
        variant=ActionVariant.DANGER,
        dialog=ask("Cancel this run?", "It ends at once, or as soon as its worker has ended it.", "Cancel the run"),
    )
    def cancel(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        run = self.get_object(request, object_id)
        if run is None:
            return self.gone(request, object_id)
        self._cancel(request, [run])
        return finish(request, self.page_of(run))

    @action(
        description="Retry",
        icon="replay",
        permissions=["retry"],
        dialog=ask("Retry this run?", "A new run is made that points at this one.", "Retry"),
    )
    def retry(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        run = self.get_object(request, object_id)
        if run is None:
            return self.gone(request, object_id)
        made = self._retry(request, [run])
        return finish(request, self.page_of(made[0] if made else run))

    @action(description="Cancel", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> None:
        self._cancel(request, list(queryset[:MOST]))

    @action(description="Retry", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[TaskRun]) -> None:
        self._retry(request, list(queryset[:MOST]))

    def _cancel(self, request: HttpRequest, runs: list[TaskRun]) -> None:
        done = actions.cancel(runs, database_now())
        if done:
            said = f"{counted(done, 'run')} cancelled; one that has started ends as soon as its worker has ended it."
            self.message_user(request, said, messages.SUCCESS)
        if left := len(runs) - done:
            said = f"{counted(left, 'run')} left alone: ended already, or asked to end before."
            self.message_user(request, said, messages.WARNING)

    def _retry(self, request: HttpRequest, runs: list[TaskRun]) -> list[TaskRun]:
        """Retry what can be; say why the others cannot."""
        now = database_now()
        made, problems = [], set()
        for run in runs:
            try:
                made.append(actions.retry(run, now, request.user))
            except actions.NotPossible as error:
                problems.add(f"{run.task}: {error}")
        if len(made) == 1:
            said = format_html("Run {} was made.", link(made[0]))
            self.message_user(request, said, messages.SUCCESS)
        elif made:
            self.message_user(request, f"Made {counted(len(made), 'run')}.", messages.SUCCESS)
        for problem in sorted(problems)[:5]:
            self.message_user(request, problem, messages.ERROR)
        return made
