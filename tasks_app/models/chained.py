"""What a task waits for, and what it takes from what it has waited for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q, Value

from tasks_app import expressions
from tasks_app.flow.plan import Cycle, ordered
from tasks_app.models import choices

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from tasks_app.models.flow import TaskDependency

MOST_INPUTS = 50
MOST_PARENTS = 1000
INPUT_NAMES = {"parents", "params"}
"""What inputs are written with: `parents.load.result`, or `parents["load data"].result`."""
CONDITION_NAMES = {"status", "reason", "result", "exit_code", "error", "params"}
"""What conditions are written with: how the parent ended."""

Wanted = list[dict[str, str]]
"""Parents, each as `{"task": its name, "when": a condition or nothing}`."""


def validate_inputs(value: Any) -> None:
    """Inputs are a JSON object of expressions by the name of a parameter, such as {"rows": "parents.load.result"}."""
    if not isinstance(value, dict) or len(value) > MOST_INPUTS:
        raise ValidationError(f"Inputs are an object of at most {MOST_INPUTS} expressions by the name of a parameter.")
    for name, text in value.items():
        if not name or not isinstance(text, str):
            raise ValidationError(f"“{name}”: this must be an expression, such as parents.load.result.rows.")
        try:
            expressions.check(text, INPUT_NAMES)
        except expressions.ExpressionError as error:
            raise ValidationError(f"{name}: {error}") from None


class Chained(models.Model):
    """The part of a task that says how it depends on others; which those are is in `TaskDependency`."""

    CHAIN = ("depend_on", "trigger_rule", "inputs", "flow_timeout_seconds")

    TriggerRule = choices.TriggerRule
    DependOn = choices.DependOn

    depend_on = models.CharField(
        max_length=10,
        choices=DependOn,
        default=DependOn.FLOW,
        db_default=DependOn.FLOW,
        help_text="With parents: it runs once in each flow that its parents are part of (flow), or, where they have "
        "schedules of their own, whenever each of them has had a new success (latest).",
    )
    trigger_rule = models.CharField(
        max_length=15,
        choices=TriggerRule,
        default=TriggerRule.ALL_SUCCESS,
        db_default=TriggerRule.ALL_SUCCESS,
        help_text="In a flow, which of its parents must end how before it runs.",
    )
    inputs = models.JSONField(
        default=dict,
        blank=True,
        db_default=Value({}, models.JSONField()),
        validators=[validate_inputs],
        help_text="Parameters it takes from its parents, as a JSON object of expressions: "
        "{“rows”: “parents.load.result.rows”}.",
    )
    flow_timeout_seconds = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31_536_000)],
        help_text="A flow that begins with this task is ended after so many seconds. Empty: never.",
    )
    leads = models.BooleanField(default=False, db_default=False, editable=False, help_text="Others follow in a flow.")
    feeds = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Others wait for its latest success."
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(depend_on__in=["flow", "latest"]), name="%(class)s_depend_on_known"),
            models.CheckConstraint(
                condition=Q(trigger_rule__in=["all_success", "all_done", "any_success", "any_failed", "none_failed"]),
                name="%(class)s_trigger_rule_known",
            ),
        ]

    _wanted: Wanted | None = None
    """Parents that have been asked for, and are not stored yet."""

    if TYPE_CHECKING:
        dependencies: RelatedManager[TaskDependency]
        pk: int | None
        name: str
        namespace_id: int
        schedule: str
        schedules: list[Any]

    @property
    def depends_on(self) -> Wanted:
        """Its parents; set, they are stored when the task is saved."""
        if self._wanted is not None or self.pk is None:
            return self._wanted or []
        stored = (("task", each.parent.name, each.when) for each in self.dependencies.all())
        return [{key: name} | ({"when": when} if when else {}) for key, name, when in stored]

    @depends_on.setter
    def depends_on(self, parents: Any) -> None:
        found = parents if isinstance(parents, list) else [parents]
        self._wanted = [{"task": each} if isinstance(each, str) else each for each in found]

    @property
    def wants_parents(self) -> bool:
        """Parents have been asked for, and are not stored yet."""
        return self._wanted is not None

    def parents_stored(self) -> None:
        self._wanted = None
        getattr(self, "_prefetched_objects_cache", {}).pop("dependencies", None)

    def check_parents(self) -> None:
        """Raise `ValidationError` where its parents are not written as they must be, whether they exist or not."""
        _check_shape(self.depends_on)

    def parents(self) -> dict[int, str]:
        """The conditions by the parents' ids, as wanted or stored; raises `ValidationError`."""
        wanted = self.depends_on
        if not wanted:
            return {}
        _check_shape(wanted)
        tasks = type(self).objects.filter(namespace=self.namespace_id, deleted_at=None)  # type: ignore[attr-defined]
        ids = dict(tasks.filter(name__in=[each["task"] for each in wanted]).values_list("name", "pk"))
        for each in wanted:
            if each["task"] not in ids:
                raise _refused(f"There is no task “{each['task']}” in the namespace; make it first.")
        return {ids[each["task"]]: each.get("when", "") for each in wanted}

    def check_chain(self, *, graph: bool = True) -> dict[str, str]:
        """What is wrong with its dependencies, by field; without `graph`, that of its namespace is not looked at."""
        try:
            parents = self.parents()
            if parents and (self.schedule or self.schedules):
                return {"schedule": "A task that depends on others runs after them; leave this empty."}
            if self.inputs and not parents:
                return {"inputs": "Only a task that depends on others can take something from them."}
            if graph and (parents or self.leads or self.feeds):
                self._check_graph(parents)
        except ValidationError as error:
            return {name: " ".join(messages) for name, messages in error.message_dict.items()}
        return {}

    def _check_graph(self, parents: Iterable[int]) -> None:
        """Raise `ValidationError` where tasks would wait for each other, or a flow had several first tasks."""
        own = self.pk or 0
        graph: dict[int, set[int]] = defaultdict(set)
        latest = {own} if self.depend_on == self.DependOn.LATEST else set()
        known = apps.get_model("tasks_app", "TaskDependency").objects.filter(task__namespace=self.namespace_id)
        known = known.filter(task__deleted_at=None, parent__deleted_at=None)
        for task, parent, how in known.values_list("task", "parent", "task__depend_on"):
            if task != own:
                graph[task].add(parent)
                latest |= {task} if how == self.DependOn.LATEST else set()
        graph[own] = set(parents)
        for each in {parent for those in list(graph.values()) for parent in those}:
            graph.setdefault(each, set())
        try:
            order = ordered(graph)
        except Cycle as cycle:
            names = self._names([*cycle.members, cycle.members[0]])
            raise _refused(f"Tasks would wait for each other: {' → '.join(names)}.") from None
        self._check_first(order, {task: set() if task in latest else those for task, those in graph.items()})

    def _check_first(self, order: list[int], graph: dict[int, set[int]]) -> None:
        """Raise `ValidationError` where a task is part of flows that begin with different tasks."""
        first: dict[int, int] = {}
        for task in order:
            firsts = {first[parent] for parent in graph[task]} or {task}
            if len(firsts) > 1:
                names = self._names([task, *sorted(firsts)])
                raise _refused(
                    f"“{names[0]}” would be part of flows that begin with different tasks: {', '.join(names[1:])}. Let "
                    "these depend on one common task, or let it wait for their latest success (depend_on: latest)."
                )
            first[task] = min(firsts)

    def _names(self, ids: list[int]) -> list[str]:
        known = dict(type(self).objects.filter(pk__in=ids).values_list("pk", "name"))  # type: ignore[attr-defined]
        return [self.name if each == (self.pk or 0) else known[each] for each in ids]


def _check_shape(wanted: Wanted) -> None:
    if len(wanted) > MOST_PARENTS:
        raise _refused(f"At most {MOST_PARENTS:,} tasks.")
    for each in wanted:
        name = each.get("task") if isinstance(each, dict) else None
        if not isinstance(name, str) or set(each) - {"task", "when"} or not isinstance(each.get("when", ""), str):
            raise _refused('Write the names of tasks, or objects such as {"task": "load", "when": "result.rows > 0"}.')
        if each.get("when"):
            try:
                expressions.check(each["when"], CONDITION_NAMES)
            except expressions.ExpressionError as error:
                raise _refused(f"{name}: {error}") from None
    names = [each["task"] for each in wanted]
    if len(set(names)) < len(names):
        raise _refused("A task is named twice.")


def _refused(message: str) -> ValidationError:
    return ValidationError({"depends_on": message})
