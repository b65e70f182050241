import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access_app', '0002_default_namespace'),
    ]

    operations = [
        migrations.AddField(
            model_name='namespace',
            name='max_pending',
            field=models.PositiveIntegerField(blank=True, help_text='At most so many of its runs may be pending; more triggers are refused. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)]),
        ),
        migrations.AddField(
            model_name='namespace',
            name='max_triggers_per_minute',
            field=models.PositiveIntegerField(blank=True, help_text='At most so many runs may be triggered in a minute, counted by each web process for itself. Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)]),
        ),
    ]
