"""What a schedule means: in words, and its next fires. Shown on the page of a task, also before it is saved."""

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from tasks_app import closing, schedule
from tasks_app.admin import show
from tasks_app.clock import database_now
from tasks_app.models import Task

FIRES = 10
LOCAL = "%a %Y-%m-%d %H:%M:%S %Z"


def preview(task: Task) -> SafeString:
    """The fires of a task that is stored, or of one as a form has it."""
    try:
        plan = task.plan()
        fires = closing.fires(task, database_now(), FIRES)
    except schedule.ScheduleError as error:
        return refusal({error.field: [error.message]})
    rows = [(fire.local.strftime(LOCAL), show.moment(fire.at), fire.mark, closed) for fire, closed in fires]
    words = [schedule.words(plan, language) for language in schedule.LANGUAGES]
    context = {"words": words, "rows": rows, "paused": task.status == Task.Status.PAUSED, "waits": plan.waits}
    return render_to_string("tasks_app/admin/preview.html", context)


def refusal(problems: dict[str, list[str]]) -> SafeString:
    """Why a schedule cannot be used, by field."""
    return render_to_string("tasks_app/admin/preview.html", {"problems": problems})


def living(shown: SafeString, view: str = "admin:tasks_app_task_preview") -> SafeString:
    """`shown`, which is asked for anew from `view` while one types."""
    address = reverse(view)
    return render_to_string("tasks_app/admin/living_preview.html", {"address": address, "shown": shown})
