from django.db import migrations, models

from tasks_app.operations import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("tasks_app", "0001_initial"),
    ]

    operations = [
        AddIndexOnline(
            model_name="taskrun",
            index=models.Index(condition=models.Q(("status", "pending")), fields=["available_at"], name="run_waiting"),
        ),
    ]
