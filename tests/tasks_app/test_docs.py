"""The documents on dependencies, limits, strategies and explain say what is so."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tasks_app.explaining import explain
from tasks_app.expressions import evaluate
from tasks_app.flow.rules import Rule
from tasks_app.manifest.changes import carry_out, compare
from tasks_app.manifest.reading import read
from tasks_app.models import Pool, Task, TaskRun
from tests.tasks_app.factories import NOW, a_run
from workers_app.balance import BUILT_IN, Candidate, Wish

DOCS = Path(__file__).parents[2] / "docs"
DEPENDENCIES, LIMITS, CHOOSING, EXPLAIN = (
    (DOCS / f"{name}.md").read_text() for name in ("dependencies", "limits", "choosing-a-worker", "explain")
)
EXPRESSIONS = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", DEPENDENCIES, re.MULTILINE)
README = (DOCS.parent / "README.md").read_text()
DIAMOND = README[README.index("## Dependencies") :].split("## Limits")[0]
FILES = re.findall(r"```yaml\n(.+?)```", DEPENDENCIES + LIMITS + DIAMOND, re.DOTALL)
NAMES = {"result": {"rows": 5, "files": ["a", "b"]}, "status": "succeeded"}


def rows(text: str, heading: str) -> list[str]:
    """The first column of the table with this heading."""
    table = text[text.index(heading) :].split("\n\n")[0]
    return re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)


def test_there_are_examples():
    assert (len(EXPRESSIONS), len(FILES)) == (7, 5)


@pytest.mark.parametrize(("text", "value"), EXPRESSIONS)
def test_an_expression(text: str, value: str):
    assert evaluate(text, NAMES) == json.loads(value)


@pytest.mark.django_db
@pytest.mark.parametrize("text", FILES)
def test_a_file_can_be_applied(text: str, broker_url: str):
    Pool.objects.create(name="licences", slots=5)
    carry_out(compare(read(text), "docs", prune=False), NOW)
    assert set(Task.objects.values_list("name", flat=True)) == {each["name"] for each in yaml.safe_load(text)["tasks"]}
    assert not compare(read(text), "docs", prune=True), "again, there is nothing to do"


def test_all_rules_and_strategies_are_told():
    assert rows(DEPENDENCIES, "| rule |") == [rule.value for rule in Rule]
    assert rows(CHOOSING, "| strategy |") == list(BUILT_IN)


@pytest.mark.django_db
def test_all_gates_are_told_in_their_order():
    run = TaskRun.objects.select_related("task", "flow", "worker").get(pk=a_run().pk)
    assert rows(EXPLAIN, "| gate |") == [line.gate for line in explain(run, NOW).gates]


def test_a_strategy_of_ones_own():
    code = re.search(r"```python\n(.+?)```", CHOOSING, re.DOTALL)
    assert code
    names: dict = {}
    exec(code[1], names)
    small, large = Candidate(1, 1, 2, 0, "a"), Candidate(2, 1, 9, 0, "b")
    assert names["most_slots"]([small, large], Wish("task")) is large
