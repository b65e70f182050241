"""What is installed, and what is said when it cannot be."""

from pathlib import Path

import pytest

from services import install as module
from services.install import install, refusal

APT = """#!/bin/sh
echo "$@" >> "$APT_CALLS"
echo "runlevel $RUNLEVEL"
case "$*" in *install*{bad}*) exit 100;; esac
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for an `apt-get` that only notes what it was asked; root is not needed for it."""
    monkeypatch.delenv("SERVICES_INSTALL", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("APT_CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(module.os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, "SYSTEMD", tmp_path / "none")
    monkeypatch.setattr(module, "LISTS", tmp_path)
    return tmp_path


def make_apt(folder: Path, bad: str = "nothing-is-bad") -> None:
    (folder / "apt-get").write_text(APT.format(bad=bad))
    (folder / "apt-get").chmod(0o755)


def calls(folder: Path) -> list[str]:
    """What apt-get was asked, without options."""
    lines = (folder / "calls").read_text().splitlines()
    return [line[line.index(word) :] for line in lines for word in ("update", "install") if f" {word}" in line]


def test_one_call_installs_all_and_starts_no_server(apt: Path):
    make_apt(apt)
    (apt / "debian_Packages.lz4").touch()
    told: list[str] = []
    assert install(["one", "two"], apt / "log", told.append) == {}
    assert calls(apt) == ["install -y --no-install-recommends one two"]
    assert told == [f"Installing one, two (log: {apt / 'log'}) …"]
    assert "runlevel 1" in (apt / "log").read_text()


def test_a_new_machine_gets_its_lists_first(apt: Path):
    make_apt(apt)
    assert install(["one"], apt / "log", print) == {}
    assert [line.split()[0] for line in calls(apt)] == ["update", "install"]


def test_one_that_fails_keeps_no_other_away(apt: Path):
    make_apt(apt, bad="two")
    assert install(["one", "two"], apt / "log", print) == {"two": f"apt-get failed, see {apt / 'log'}"}


def test_nothing_to_do_asks_nobody(apt: Path):
    assert install([], apt / "log", print) == {}
    assert list(apt.iterdir()) == []


def test_it_can_be_forbidden(apt: Path, monkeypatch: pytest.MonkeyPatch):
    make_apt(apt)
    monkeypatch.setenv("SERVICES_INSTALL", "0")
    assert install(["one"], apt / "log", print) == {"one": "SERVICES_INSTALL=0 forbids to install it"}
    assert not (apt / "calls").exists()


def test_systemd_is_kept_from_starting_what_is_new(apt: Path, monkeypatch: pytest.MonkeyPatch):
    make_apt(apt, bad="one")
    monkeypatch.setattr(module, "SYSTEMD", apt)
    # The unit of PostgreSQL was there before: it stays as it is.
    text = '#!/bin/sh\necho "$@" >> "$APT_CALLS"\ncase "$*" in "cat postgresql.service") exit 0;; cat*) exit 1;; esac\n'
    (apt / "systemctl").write_text(text)
    (apt / "systemctl").chmod(0o755)
    install(["one"], apt / "log", print)
    asked = [line for line in (apt / "calls").read_text().splitlines() if not line.startswith("cat")]
    new = " ".join(unit for unit in module.UNITS if unit != "postgresql.service")
    assert asked[0] == f"mask --runtime {new}"
    assert f"unmask --runtime {new}" in asked
    assert [line.split()[1] for line in asked if line.startswith("disable")] == new.split()


def test_reasons(apt: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(apt))
    assert "no apt-get" in refusal()
    make_apt(apt)
    assert refusal() == ""
    monkeypatch.setattr(module.os, "geteuid", lambda: 1000)
    assert "root or sudo" in refusal()
