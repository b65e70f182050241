"""`manage.py import_crontab`: what cron would do, as tasks."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tasks_app.manifest.crontab import read
from tasks_app.models import Task

CRONTAB = r"""
# Nightly backup
# of everything
30 2 * * 1-5  /usr/local/bin/backup.sh --all > /dev/null 2>&1

MAILTO=ops@example.com
PATH = "/opt/bin:/usr/bin"
@hourly       cd /srv/app && LANG=C ./report --day "$(date +\%F)"
CRON_TZ=Europe/Berlin
*/10 9-17 * * MON-FRI mail -s hello team%Dear team,%good morning.
SHELL=/bin/bash
HOME=/srv/data
0 0 1 * *     shopt -s globstar; ls **/*.csv
@reboot       /usr/bin/start-me
0 4 * * *
"""


def test_jobs_with_all_that_cron_knows():
    found = read(CRONTAB, system=False, timezone="America/New_York")
    path = {"PATH": "/opt/bin:/usr/bin"}
    common = {"executor": "shell"}
    assert found.tasks == [
        {
            "name": "backup.sh",
            "command": "/usr/local/bin/backup.sh --all > /dev/null 2>&1",
            "schedule": "30 2 * * 1-5",
            "timezone": "America/New_York",
            "description": "Nightly backup\nof everything",
            **common,
        },
        {
            "name": "report",
            "command": 'cd /srv/app && LANG=C ./report --day "$(date +%F)"',
            "schedule": "@hourly",
            "timezone": "America/New_York",
            "config": {"env": path},
            **common,
        },
        {
            "name": "mail",
            "command": "mail -s hello team <<'END_OF_INPUT'\nDear team,\ngood morning.\nEND_OF_INPUT",
            "schedule": "*/10 9-17 * * MON-FRI",
            "timezone": "Europe/Berlin",
            "config": {"env": path},
            **common,
        },
        {
            "name": "shopt",
            "command": "/bin/bash",
            "schedule": "0 0 1 * *",
            "timezone": "Europe/Berlin",
            "config": {
                "env": {**path, "HOME": "/srv/data"},
                "cwd": "/srv/data",
                "args": ["-c", "shopt -s globstar; ls **/*.csv"],
            },
            **common,
        },
    ]
    assert found.notes == [
        "line 6: Nobody is sent mail; output is kept with each run.",
        "line 14: Left out, as no schedule stands for @reboot.",
        "line 15: Left out, as it has no command.",
    ]


def test_a_systems_crontab_names_users():
    found = read("17 * * * * root run-parts /etc/cron.hourly\n@daily www-data run-parts x", system=True, timezone="UTC")
    assert [(task["name"], task["schedule"]) for task in found.tasks] == [
        ("run-parts", "17 * * * *"),
        ("run-parts-2", "@daily"),
    ]
    assert found.notes[0] == "line 1: It runs as the worker's user, and not as root."


@pytest.mark.django_db
@pytest.mark.usefixtures("broker_url")
class TestTheCommand:
    def call(self, file: Path, *options: str) -> str:
        out = io.StringIO()
        call_command("import_crontab", str(file), *options, stdout=out, stderr=io.StringIO(), no_color=True)
        return out.getvalue()

    def test_a_plan_and_then_the_tasks(self, tmp_path: Path):
        file = tmp_path / "web1.crontab"
        file.write_text(CRONTAB)
        plan = self.call(file, "--plan")
        assert plan.splitlines()[:2] == ["+ default/backup.sh", "+ default/report"]
        assert Task.objects.count() == 0
        assert self.call(file, "--timezone", "Asia/Tokyo").endswith("Done.\n")
        backup = Task.objects.get(name="backup.sh")
        assert (backup.timezone, backup.managed_by, backup.next_fire_at is None) == ("Asia/Tokyo", "web1", False)
        assert "4 unchanged" in self.call(file, "--timezone", "Asia/Tokyo")
        file.write_text("@daily true")
        assert "1 to create, 0 to change, 4 to delete" in self.call(file, "--prune")

    def test_what_we_cannot_read_is_said_by_its_name(self, tmp_path: Path):
        file = tmp_path / "crontab"
        file.write_text("61 * * * * true\n@daily false")
        with pytest.raises(CommandError, match='true: schedule: The minute field "61" cannot be read'):
            self.call(file)
        with pytest.raises(CommandError, match="no namespace"):
            self.call(file, "--namespace", "nowhere")
        assert Task.objects.count() == 0
