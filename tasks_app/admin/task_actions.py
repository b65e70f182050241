"""What one can do to tasks on admin pages: run now, pause, resume; for one task or many."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from unfold.decorators import action
from unfold.enums import ActionVariant

from tasks_app import actions
from tasks_app.admin.base import Admin, ask, finish
from tasks_app.admin.show import counted, link
from tasks_app.admin.task_form import RunNowForm
from tasks_app.clock import database_now
from tasks_app.models import Task

WAITS = "It waits until the task is resumed."


class TaskActions(Admin):
    """The actions of `TaskAdmin`."""

    actions = ["run_selected", "pause_selected", "resume_selected"]
    actions_detail = ["run_now", "pause", "resume", "take_over"]

    def has_trigger_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "add_taskrun")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only those that do something."""
        task = self.get_object(request, str(object_id))
        useless = ["_resume" if task is None or task.status == Task.Status.ACTIVE else "_pause"]
        if task is None or not task.managed_by:
            useless.append("_take_over")
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(tuple(useless))]

    @action(
        description="Run now",
        icon="play_arrow",
        permissions=["trigger"],
        variant=ActionVariant.PRIMARY,
        dialog=ask("Run now", "Make a run that starts as soon as a worker is free.", "Run now", RunNowForm),
    )
    def run_now(self, request: HttpRequest, form: RunNowForm, object_id: str) -> HttpResponse:
        task = self.get_object(request, object_id)
        if task is None:
            return self.gone(request, object_id)
        trigger = actions.Trigger(task, params=form.cleaned_data["params"])
        try:
            (run,) = actions.trigger([trigger], database_now(), request.user)
        except actions.NotPossible as error:
            self.message_user(request, str(error), messages.ERROR)
            return finish(request, self.page_of(task))
        paused = task.status == Task.Status.PAUSED
        said = format_html("Run {} of “{}” was made. {}", link(run), task, WAITS if paused else "")
        self.message_user(request, said, messages.WARNING if paused else messages.SUCCESS)
        return finish(request, self.page_of(task))

    @action(
        description="Pause",
        icon="pause",
        permissions=["change"],
        dialog=ask("Pause this task?", "It fires and starts nothing until it is resumed. What runs may end.", "Pause"),
    )
    def pause(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._switch_one(request, object_id, actions.pause, "paused")

    @action(
        description="Resume",
        icon="resume",
        permissions=["change"],
        dialog=ask("Resume this task?", "It fires again; what went by runs as “after resume” says.", "Resume"),
    )
    def resume(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self._switch_one(request, object_id, actions.resume, "active")

    @action(
        description="Take over",
        icon="lock_open",
        permissions=["change"],
        dialog=ask("Take this task over?", "It can be edited here then, and its file no longer counts.", "Take over"),
    )
    def take_over(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        task = self.get_object(request, object_id)
        if task is None:
            return self.gone(request, object_id)
        said = f"Taken over from “{task.managed_by}”."
        actions.take_over(task, database_now())
        self.log_change(request, task, said)
        self.message_user(request, said, messages.SUCCESS)
        return finish(request, self.page_of(task))

    def _switch_one(self, request: HttpRequest, object_id: str, change: Any, status: str) -> HttpResponse:
        task = self.get_object(request, object_id)
        if task is None:
            return self.gone(request, object_id)
        self._switch(request, [task], change, status)
        return finish(request, self.page_of(task))

    @action(description="Run now", permissions=["trigger"])
    def run_selected(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        tasks = list(queryset)
        try:
            made = actions.trigger([actions.Trigger(task) for task in tasks], database_now(), request.user)
        except actions.NotPossible as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        self.message_user(request, f"Made {counted(len(made), 'run')}.", messages.SUCCESS)
        if paused := [task.name for task in tasks if task.status == Task.Status.PAUSED]:
            said = f"Paused, so their runs wait until they are resumed: {', '.join(paused)}."
            self.message_user(request, said, messages.WARNING)

    @action(description="Pause", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._switch(request, list(queryset), actions.pause, "paused")

    @action(description="Resume", permissions=["change"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self._switch(request, list(queryset), actions.resume, "active")

    def _switch(
        self, request: HttpRequest, tasks: list[Task], change: Callable[[Task, datetime], None], status: str
    ) -> None:
        """Bring each task to `status`; say how many changed, and how many had it already."""
        now, done = database_now(), 0
        waiting = [task for task in tasks if task.status != status]
        for task in waiting:
            try:
                change(task, now)
            except actions.NotPossible as error:
                self.message_user(request, f"{task}: {error}", messages.ERROR)
            else:
                self.log_change(request, task, f"{change.__name__.capitalize()}d.")
                done += 1
        verb = "paused" if status == "paused" else "resumed"
        already = len(tasks) - len(waiting)
        said = f"{counted(done, 'task')} {verb}." + (f" {already:,} had been {status} already." if already else "")
        self.message_user(request, said, messages.SUCCESS if done else messages.WARNING)
