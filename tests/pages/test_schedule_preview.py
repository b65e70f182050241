"""The page of a task shows when it will fire, while one types."""

from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from tasks_app.models import Calendar
from tests.tasks_app.admin.helpers import TASKS, task

pytestmark = [
    pytest.mark.only("sqlite"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("broker_url"),
]
SECONDS = 20


def shows(page: Chrome, *texts: str) -> str:
    """Wait until the preview has all of `texts`; return what it says."""

    def said(page: Chrome) -> str | bool:
        text = page.find_element(By.ID, "schedule-preview").text
        return text if all(each in text for each in texts) else False

    return str(WebDriverWait(page, SECONDS).until(said, f"the preview says {texts}"))


def write(page: Chrome, name: str, text: str) -> None:
    field = page.find_element(By.NAME, name)
    field.clear()
    field.send_keys(text)


def test_a_new_task(page: Chrome, live_server: Any):
    page.get(f"{live_server.url}{TASKS}add/")
    shows(page, "Only when triggered by hand", "仅手动触发")
    write(page, "schedule", "30 2 * * MON-FRI")
    said = shows(page, "At 02:30, Monday through Friday", "星期一")
    assert said.count("02:30:00") == 20  # local and UTC
    write(page, "schedule", "61 * * * *")
    said = shows(page, 'The minute field "61" cannot be read')
    assert "Local time" not in said
    write(page, "schedule", "@every 1h30m")
    shows(page, "Every 1 hour 30 minutes", "Local time")


def test_a_stored_task_in_its_zone(page: Chrome, live_server: Any):
    stored = task("nightly", schedule="0 9 * * *", timezone="Asia/Tokyo")
    page.get(f"{live_server.url}{TASKS}{stored.pk}/change/")
    assert shows(page, "At 09:00").count("09:00:00 JST") == 10
    page.execute_script(
        "const zone = document.getElementById('id_timezone'); zone.value = 'Asia/Kolkata';"
        "zone.dispatchEvent(new Event('change', {bubbles: true}));"
    )
    assert shows(page, "09:00:00 IST", "03:30:00").count("09:00:00 IST") == 10
    stored.refresh_from_db()
    assert stored.timezone == "Asia/Tokyo", "nothing is saved"


def test_a_calendar_is_chosen(page: Chrome, live_server: Any):
    Calendar.objects.create(name="works", closed="sat, sun Weekend")
    page.get(f"{live_server.url}{TASKS}add/")
    write(page, "schedule", "0 9 * * *")
    choose(page, "calendar", "works")
    assert shows(page, "skipped: works: Weekend").count("skipped") in (2, 3, 4)
    choose(page, "on_closed", "Next")
    said = shows(page, "on closed days the next open day")
    assert "skipped" not in said
    assert "Sat " not in said


def choose(page: Chrome, name: str, text: str) -> None:
    Select(page.find_element(By.NAME, name)).select_by_visible_text(text)
