"""The table of passes."""

import json

from tests.chaos.table import main, table

LINE = {
    "wish": {"database": "postgresql", "broker": "streams", "faults": ["freeze"], "mixed": False, "seed": 3},
    "findings": 0,
    "submissions_accepted": 1200,
    "targets": 351,
    "extra_starts": 7,
    "longest_lateness_healthy": 0.14,
    "longest_lateness_in_faults": 12.04,
    "heal_seconds": [0.4, 1.26],
}


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_a_pass_is_a_row():
    _, _, row = cells(table([LINE]))
    assert row == ["postgresql + streams: freeze", "3", "1,200", "351", "7", "1.3 s", "0.1 / 12.0 s", "0"]


def test_the_last_row_has_sums_and_the_longest():
    other = LINE | {"findings": 2, "heal_seconds": [], "longest_lateness_healthy": 1.96}
    *_, last = cells(table([LINE, other]))
    assert last == ["in all", "", "2,400", "702", "14", "1.3 s", "2.0 / 12.0 s", "2"]


def test_it_reads_what_passes_have_written(tmp_path, capsys):
    file = tmp_path / "figures.jsonl"
    file.write_text(json.dumps(LINE) + "\n" + json.dumps({"measure": "frozen"}) + "\n")
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == table([LINE]) + "\n"
    assert main([]) == 2
