"""The admin page of flows: their steps, to cancel, to do again from where they failed."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator

from tasks_app import flow_actions, flows
from tasks_app.actions import NotPossible
from tasks_app.admin import show
from tasks_app.admin.base import ReadOnlyAdmin, ask, finish
from tasks_app.clock import database_now
from tasks_app.models import FlowRun, TaskRun

SHOWN = 500
"""Steps on the page."""


@admin.register(FlowRun)
class FlowAdmin(ReadOnlyAdmin):
    """Passes through a task and all that depends on it."""

    empty_hint = "A flow appears here when a task runs that others depend on (“After other tasks” on their pages)."
    list_display = ["begins_with", "colour", "reason", "due", "made", "took"]
    list_filter = ["status"]
    list_select_related = ["task"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = InfinitePaginator
    search_fields = ["task__name"]
    ordering = ["-id"]
    sortable_by: list[str] = []
    actions_detail = ["cancel", "retry"]
    fieldsets: Any = [
        (
            "Flow",
            {
                "fields": [
                    ("begins_with", "state", "reason"),
                    ("due_at", "deadline_"),
                    ("made_at", "over"),
                    ("again", "runs_link"),
                    "params_",
                ]
            },
        ),
        ("Steps", {"fields": ["steps"]}),
    ]

    due = show.moment_column("scheduled_for", "Scheduled")
    made = show.moment_column("created_at", "Begun")
    due_at = show.moment_fact("scheduled_for", "Scheduled for")
    deadline_ = show.moment_fact("deadline", "Deadline")
    made_at = show.moment_fact("created_at", "Begun")
    over = show.moment_fact("completed_at", "Over")

    def get_queryset(self, request: HttpRequest) -> QuerySet[FlowRun]:
        found: QuerySet[FlowRun] = super().get_queryset(request).select_related("task", "retry_of")
        return found

    def has_cancel_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "change_flowrun")

    def has_retry_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.allows(request, "add_flowrun")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only the one that does something."""
        flow = self.get_object(request, str(object_id))
        wanted = "_cancel" if flow and flow.status == FlowRun.Status.RUNNING else "_retry"
        return [each for each in super().get_actions_detail(request, object_id) if each.action_name.endswith(wanted)]

    @action(
        description="Cancel",
        icon="cancel",
        permissions=["cancel"],
        variant=ActionVariant.DANGER,
        dialog=ask("Cancel this flow?", "All of its runs that are open are cancelled.", "Cancel it"),
    )
    def cancel(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        flow = self.get_object(request, object_id)
        if flow is None:
            return self.gone(request, object_id)
        try:
            flow_actions.cancel(flow, database_now())
        except NotPossible as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.log_change(request, flow, "Cancelled.")
            self.message_user(request, "The flow is being cancelled.", messages.SUCCESS)
        return finish(request, self.page_of(flow))

    @action(
        description="Retry from where it failed",
        icon="replay",
        permissions=["retry"],
        dialog=ask(
            "Do it again from where it failed?",
            "Steps that failed, were cancelled or skipped are done again in a new flow, with all that depends on them; "
            "the results of the others are taken over.",
            "Retry",
        ),
    )
    def retry(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        flow = self.get_object(request, object_id)
        if flow is None:
            return self.gone(request, object_id)
        try:
            made = flow_actions.retry(flow, database_now(), request.user)
        except NotPossible as error:
            self.message_user(request, str(error), messages.WARNING)
            return finish(request, self.page_of(flow))
        self.log_addition(request, made, f"Retry of {flow.pk}.")
        self.message_user(request, "This flow goes on from where the other one failed.", messages.SUCCESS)
        return finish(request, self.page_of(made))

    @display(description="Begins with")
    def begins_with(self, flow: FlowRun) -> str:
        return str(flow.task)

    @display(description="Status", label=show.FLOW_COLOURS)
    def colour(self, flow: FlowRun) -> str:
        return flow.status

    @display(description="Status")
    def state(self, flow: FlowRun) -> str:
        return show.label(flow.status, show.FLOW_COLOURS)

    @display(description="Duration")
    def took(self, flow: FlowRun) -> str:
        return show.duration(flow.created_at, flow.completed_at)

    @display(description="Retry of")
    def again(self, flow: FlowRun) -> str:
        return show.link(flow.retry_of)

    @display(description="Runs")
    def runs_link(self, flow: FlowRun) -> str:
        return show.listing(TaskRun, "All runs of this flow", flow=flow.pk)

    @display(description="Parameters")
    def params_(self, flow: FlowRun) -> str:
        return show.pretty(flow.params)

    @display(description="Steps, parents first")
    def steps(self, flow: FlowRun) -> str:
        found = flows.steps_of(flow)
        for step in found[:SHOWN]:
            run = TaskRun(pk=step["run"]) if step["run"] else None
            step["link"] = show.link(run, step["name"]) if run else step["name"]
            step["label"] = show.label(step["status"], show.RUN_COLOURS)
        context = {"steps": found[:SHOWN], "more": len(found) - SHOWN}
        return render_to_string("tasks_app/admin/flow_steps.html", context)
