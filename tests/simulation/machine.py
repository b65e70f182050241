"""What may happen in the simulation, for hypothesis to choose from."""

import sys

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tasks_app.models import FINAL, TaskRun
from tests.simulation.workers import SimulatedWorker
from tests.simulation.world import DISPATCHERS, TASKS, World

a_number = st.integers(0, 9)
"""Picks one of however many there are."""
a_task = st.sampled_from(sorted(TASKS))
a_dispatcher = st.sampled_from(DISPATCHERS)
a_few = st.integers(0, 4)
a_while = st.sampled_from([2, 4, 8, 13])
"""Seconds: less than a lease, or more."""
a_moment = st.integers(0, 6)
"""A dispatcher's use of the broker, counted from 0, at which it crashes or stands still."""


class Simulation(RuleBasedStateMachine):
    """Each example is a world of its own, in a transaction that is rolled back."""

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.world = World()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.world.heal()
        finally:
            transaction.set_rollback(True)
            self._example.__exit__(None, None, None)

    @initialize(seconds=st.sampled_from([2, 2, 1, 0]), tasks=st.lists(a_task, min_size=1, max_size=6))
    def begin(self, seconds: int, tasks: list[str]) -> None:
        """Some workers may be up already, and there is some work."""
        self.world.calm(seconds)
        for task in tasks:
            self.world.submit(task)

    @invariant()
    def promises_are_kept(self) -> None:
        self.world.promises.check()

    def _awake(self, number: int) -> SimulatedWorker:
        return self.world.awake[number % len(self.world.awake)]

    def some_awake(self) -> bool:
        return bool(self.world.awake)

    def some_away(self) -> bool:
        return bool(self.world.missing) or len(self.world.awake) < len(self.world.workers)

    def some_busy(self) -> bool:
        return any(worker.pool.jobs for worker in self.world.workers)

    # People

    @rule(task=a_task, number=st.integers(1, 3), ahead=st.sampled_from([0, 0, 3]))
    def submit(self, task: str, number: int, ahead: int) -> None:
        for _ in range(number):
            self.world.submit(task, ahead)

    def some_planned(self) -> bool:
        return any(not plan.until for plan in self.world.plans)

    @precondition(lambda self: len(self.world.plans) < 2)
    @rule(every=st.sampled_from([7, 20]))
    def plan(self, every: int) -> None:
        self.world.plan(every)

    @precondition(some_planned)
    @rule(number=a_number, how=st.sampled_from(["stop", "delete"]))
    def unplan(self, number: int, how: str) -> None:
        planned = [plan for plan in self.world.plans if not plan.until]
        self.world.unplan(planned[number % len(planned)], how)

    @rule(number=a_number)
    def cancel(self, number: int) -> None:
        if runs := list(TaskRun.objects.exclude(status__in=FINAL).order_by("id").values_list("pk", flat=True)):
            self.world.cancel(runs[number % len(runs)])

    @rule(number=a_number)
    def retry(self, number: int) -> None:
        ended = TaskRun.objects.filter(status__in=FINAL, task__deleted_at=None)  # of others no retry is made
        if runs := list(ended.order_by("-id").values_list("pk", flat=True)):
            self.world.retry(runs[number % len(runs)])

    # Time

    @rule(ticks=st.sampled_from([1, 1, 2, 2, 4, 8, 32, 36]))
    def pass_time(self, ticks: int) -> None:
        self.world.pass_time(ticks / 4)

    @rule(seconds=st.integers(1, 4))
    def calm(self, seconds: int) -> None:
        self.world.calm(seconds)

    @rule()
    def exchange(self) -> None:
        self.world.exchange()

    @rule(seconds=st.integers(1, 4))
    def work(self, seconds: int) -> None:
        self.world.calm(seconds, finish=True)

    @precondition(some_awake)
    @rule(number=a_number, seconds=a_while, finish=st.booleans())
    def cut_off(self, number: int, seconds: int, finish: bool) -> None:
        """The network to one worker is down."""
        self.world.calm(seconds, finish, without=self._awake(number).name)

    # Dispatchers

    @rule(name=a_dispatcher, most=a_few, last_first=st.booleans(), late=st.booleans())
    def dispatch(self, name: str, most: int, last_first: bool, late: bool) -> None:
        with self.world.channel.slow(late):
            self.world.dispatch(name, most, last_first)

    @rule(name=a_dispatcher, at=a_moment)
    def crash(self, name: str, at: int) -> None:
        self.world.crash(name, at)

    @rule(name=a_dispatcher, at=a_moment, seconds=a_while)
    def stand_still(self, name: str, at: int, seconds: int) -> None:
        self.world.stand_still(name, at, seconds)

    # Workers

    @precondition(some_awake)
    @rule(number=a_number, most=a_few, last_first=st.booleans())
    def deliver(self, number: int, most: int, last_first: bool) -> None:
        self.world.deliver(self._awake(number), most, last_first)

    @precondition(some_busy)
    @rule(number=a_number, outcome=st.sampled_from(["", "error", None]), late=st.booleans())
    def command_ends(self, number: int, outcome: str | None, late: bool) -> None:
        """Or, without an outcome, it is only reported that it has begun."""
        busy = [worker for worker in self.world.workers if worker.pool.jobs]
        with self.world.channel.slow(late):
            self.world.command_ends(busy[number % len(busy)], outcome)

    @precondition(some_awake)
    @rule(number=a_number, what=st.sampled_from(["freeze", "freeze", "kill", "shut_down", "drain"]))
    def torment(self, number: int, what: str) -> None:
        self.world.torment(self._awake(number), what)

    @precondition(some_away)
    @rule(number=a_number)
    def bring_back(self, number: int) -> None:
        self.world.bring_back(number)

    # The broker

    @rule(kind=st.sampled_from(["lose", "double", "delay", "delay", "unconfirmed", "wipe"]), which=a_number)
    def trouble(self, kind: str, which: int) -> None:
        self.world.trouble(kind, which)

    @rule()
    def release(self) -> None:
        self.world.channel.release()
