import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("tasks_app", "0003_task_delivery"),
    ]

    operations = [
        migrations.CreateModel(
            name="Circuit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "target",
                    models.CharField(
                        help_text="host:<name>:<port>, task:<id of the task> or worker:<name>.",
                        max_length=300,
                        unique=True,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("closed", "Closed"), ("open", "Open"), ("half_open", "Half Open")],
                        default="closed",
                        max_length=10,
                    ),
                ),
                ("failures", models.PositiveIntegerField(default=0, help_text="In a row.")),
                (
                    "trips",
                    models.PositiveIntegerField(default=0, help_text="Openings in a row; it stays open the longer."),
                ),
                ("opened_at", models.DateTimeField(help_text="When it went from closed to open last.", null=True)),
                (
                    "retry_at",
                    models.DateTimeField(help_text="From then on one run may pass, as a probe.", null=True),
                ),
                ("probe_id", models.UUIDField(help_text="The run that is the probe.", null=True)),
                ("probe_attempt", models.PositiveIntegerField(null=True)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "closed"), _negated=True),
                        fields=["target"],
                        name="circuit_not_closed",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["closed", "open", "half_open"])), name="circuit_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state", "closed"), ("retry_at__isnull", False), _connector="OR"),
                        name="circuit_open_until_then",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "half_open"), _negated=True),
                            models.Q(("probe_attempt__isnull", False), ("probe_id__isnull", False)),
                            _connector="OR",
                        ),
                        name="circuit_half_open_for_a_probe",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="task",
            name="circuit",
            field=models.CharField(
                choices=[("off", "Off"), ("hold", "Hold"), ("skip", "Skip")],
                db_default="off",
                default="off",
                help_text="While what it calls fails again and again, its circuit is open: runs wait (hold) or are "
                "skipped (skip); off: it has none. For http that is the host and port, shared by all tasks that call "
                "them; else the task itself.",
                max_length=4,
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="circuit_failures",
            field=models.PositiveSmallIntegerField(
                db_default=5,
                default=5,
                help_text="So many failures in a row open the circuit.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="circuit_seconds",
            field=models.FloatField(
                db_default=30.0,
                default=30,
                help_text="It stays open for so long before one run may try; twice as long each time that fails, up "
                "to ten minutes (or this, if it is longer).",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(86400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="target",
            field=models.CharField(editable=False, help_text="Of its circuit; null: itself.", max_length=300, null=True),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Q(("circuit__in", ["off", "hold", "skip"])), name="task_circuit_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="task",
            constraint=models.CheckConstraint(
                condition=models.Q(("circuit_failures__gte", 1), ("circuit_seconds__gt", 0)),
                name="task_circuit_limits_positive",
            ),
        ),
    ]
