"""What a pending run asks of a worker is now written with its namespace and the labels it excludes."""

import json

from django.db import migrations


def _rewrite(apps, written):
    task_model, run_model = apps.get_model("tasks_app", "Task"), apps.get_model("tasks_app", "TaskRun")
    waiting = list(run_model.objects.filter(status="pending").order_by().values_list("task", flat=True).distinct())
    for task in task_model.objects.filter(pk__in=waiting).iterator():
        placement = json.dumps(written(task), separators=(",", ":"))
        run_model.objects.filter(status="pending", task=task).update(placement=placement)


def forwards(apps, editor):
    _rewrite(apps, lambda task: [task.namespace_id, task.executor, sorted(task.worker_labels.items()), []])


def backwards(apps, editor):
    _rewrite(apps, lambda task: [task.executor, sorted(task.worker_labels.items())])


class Migration(migrations.Migration):

    dependencies = [("tasks_app", "0012_limits")]

    operations = [migrations.RunPython(forwards, backwards)]
