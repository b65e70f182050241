"""Random good histories have no findings, and what is spoilt in one is found; the command reads a history again."""

import re
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chaos.builder import change, good, of
from tests.chaos.checker import RULES, check, main, summary
from tests.chaos.corruptions import CORRUPTIONS, Corruption
from tests.chaos.history import LEDGER, RECORD, Fault, History
from tests.chaos.simulator import simulated
from tests.chaos.windows import DEFAULT

seeds = st.integers(0, 2**32)
histories = st.builds(simulated, seeds, faults=st.integers(0, 3), runs=st.integers(1, 40))
eventful = st.builds(simulated, seeds, faults=st.integers(2, 4), runs=st.integers(25, 40))


@settings(deadline=None)
@given(histories)
def test_a_good_history_has_no_findings(history: History) -> None:
    assert check(history, DEFAULT) == []


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda each: each.__name__)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(eventful, seeds)
def test_what_is_spoilt_is_found(corruption: Corruption, history: History, seed: int) -> None:
    corruption(history, Random(seed))
    assert corruption.__name__ in {finding.kind for finding in check(history, DEFAULT)}


def test_every_rule_has_a_name_of_its_own_and_is_put_to_the_test() -> None:
    kinds = [rule.__name__ for rule in RULES]
    assert sorted(kinds) == sorted(corruption.__name__ for corruption in CORRUPTIONS)
    assert len(set(kinds)) == len(kinds)


def test_figures_of_a_good_history() -> None:
    assert summary(good()) == {
        "submissions_accepted": 4,
        "runs": 8,
        "targets": 4,
        "executions": 10,
        "extra_starts": 3,
        "longest_lateness_healthy": pytest.approx(0.49),
        "longest_lateness_in_faults": pytest.approx(0.19),
        "statuses": {"failed": 2, "skipped": 1, "succeeded": 5},
    }


def test_a_run_is_late_in_a_fault_when_one_is_felt_within_its_window() -> None:
    history = good()
    history.faults += [Fault("freeze", "", 4.0, 5.0), Fault("freeze", "", 900.0, 901.0)]
    figures = summary(history)
    assert figures["longest_lateness_in_faults"] == pytest.approx(0.49)
    assert figures["longest_lateness_healthy"] == 0.0


def recorded(folder: Path, history: History, offset: float = 1000.0) -> Path:
    """As a test of the world would have written it; the ledger has the machine's own clock."""
    begin = msgspec.structs.replace(history.begin, offset=offset)
    record = [begin, *history.plans, *history.submissions, *history.faults, *history.kills, *history.runs]
    ledger = [msgspec.structs.replace(line, at=line.at - offset) for line in [*history.starts, *history.ends]]
    for name, lines in {RECORD: record, LEDGER: ledger}.items():
        (folder / name).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return folder


def test_the_command_reads_a_good_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(recorded(tmp_path, good()))]) == 0
    output = capsys.readouterr().out
    assert "executions: 10" in output
    assert len(output.splitlines()) == len(summary(good()))


def test_the_command_shows_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = good()
    change(history.runs, of("h1"), worker="worker-2")
    assert main([str(recorded(tmp_path, history))]) == 1
    assert re.search(r"^wrong_worker: hand: attempt 1 of run h1 .*worker-1.*worker-2", capsys.readouterr().out, re.M)


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["/nowhere"]])
def test_the_command_needs_a_history(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "history.jsonl" in capsys.readouterr().err
