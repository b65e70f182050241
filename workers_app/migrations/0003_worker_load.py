from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("workers_app", "0002_worker_gave_up"),
    ]

    operations = [
        migrations.AddField(
            model_name="workerinfo",
            name="cpu_percent",
            field=models.FloatField(
                help_text="How much of its machine's processors is in use.", null=True, verbose_name="CPU percent"
            ),
        ),
        migrations.AddField(
            model_name="workerinfo",
            name="memory_percent",
            field=models.FloatField(help_text="How much of its machine's memory is in use.", null=True),
        ),
    ]
