"""Settings: the variable, the file it names, the file in STATE_DIR, the default; bad values are problems."""

from pathlib import Path

import pytest

from workers_app import environment


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setattr(environment, "problems", [])


def test_the_order_in_which_a_value_is_looked_up(monkeypatch, tmp_path):
    assert environment.text("X", "default") == "default"
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "X").write_text("from the state folder\n")
    assert environment.text("X", "default") == "from the state folder"
    (tmp_path / "x").write_text("from a file\n")
    monkeypatch.setenv("X_FILE", str(tmp_path / "x"))
    assert environment.text("X", "default") == "from a file"
    monkeypatch.setenv("X", " from the variable ")
    assert environment.text("X", "default") == "from the variable"
    assert not environment.problems


def test_a_file_that_cannot_be_read_is_a_problem(monkeypatch):
    monkeypatch.setenv("X_FILE", "/nowhere/x")
    assert environment.text("X", "default") == "default"
    assert "X_FILE" in environment.problems[0]


@pytest.mark.parametrize(
    ("given", "value", "problem"), [("7", 7, False), ("0", 5, True), ("x", 5, True), ("nan", 5, True)]
)
def test_numbers(monkeypatch, given, value, problem):
    monkeypatch.setenv("X", given)
    assert environment.number("X", 5, 1, 10) == value
    assert bool(environment.problems) == problem


@pytest.mark.parametrize(
    ("given", "value", "problem"), [("yes", True, False), ("0", False, False), ("ja", False, True)]
)
def test_flags(monkeypatch, given, value, problem):
    monkeypatch.setenv("X", given)
    assert environment.flag("X") is value
    assert bool(environment.problems) == problem


def test_labels(monkeypatch):
    monkeypatch.setenv("X", "zone=eu, gpu=yes  broken")
    assert environment.labels("X") == {"zone": "eu", "gpu": "yes"}
    assert "broken" in environment.problems[0]


def test_a_process_refuses_to_start_and_says_all_that_is_wrong(monkeypatch):
    environment.required("X", "Set it.")
    monkeypatch.setenv("Y", "many")
    environment.number("Y", 1, 1, 2)
    with pytest.raises(SystemExit) as refused:
        environment.refuse_problems()
    assert "X is not set. Set it." in str(refused.value)
    assert "Y: “many”" in str(refused.value)
