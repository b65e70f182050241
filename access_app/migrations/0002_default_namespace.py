from django.db import migrations


def create(apps, schema_editor):
    apps.get_model("access_app", "Namespace").objects.get_or_create(name="default")


class Migration(migrations.Migration):
    dependencies = [("access_app", "0001_initial")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
