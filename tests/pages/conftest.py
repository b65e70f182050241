"""A real browser, signed in to the admin of a live server."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1400,2400"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("there is no Chromium; `make services` brings it")
    options = ChromeOptions()
    options.binary_location = program
    folder: Path = tmp_path_factory.mktemp("chromium")
    for argument in (*ARGUMENTS, f"--user-data-dir={folder}"):
        options.add_argument(argument)
    browser = Chrome(options, ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def page(chromium: Chrome, live_server: Any, admin: User) -> Chrome:
    """The browser, at the admin of the live server."""
    client = Client()
    client.force_login(admin)
    name = settings.SESSION_COOKIE_NAME
    chromium.get(f"{live_server.url}/healthz")
    chromium.delete_all_cookies()
    chromium.add_cookie({"name": name, "value": client.cookies[name].value})
    return chromium
