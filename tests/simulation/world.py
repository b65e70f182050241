"""Dispatchers, workers, people and a bad broker on one database and a virtual clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

from django.test import TestCase

from tasks_app import actions, outbox
from tasks_app.models import FINAL, Task, TaskRun
from tests.simulation.channel import Channel, Post
from tests.simulation.clock import clock
from tests.simulation.dispatchers import Crash, SimulatedDispatcher
from tests.simulation.ledger import Ledger
from tests.simulation.promises import Plan, Promises, check_all_nominal_times, disagreements
from tests.simulation.workers import SimulatedWorker
from tests.tasks_app.factories import a_task
from workers_app.models import WorkerInfo

TICK_SECONDS = 0.25
"""Each worker looks at its lease so often."""
SLOTS = {"worker-1": 2, "worker-2": 1, "worker-3": 2}
DISPATCHERS = ("dispatcher-a", "dispatcher-b")
TASKS = {
    "plain": {"max_attempts": 1},
    "again": {"max_attempts": 3},
    "once": {"max_attempts": 2, "delivery": "at_most_once"},
}
"""What can be submitted. Commands of tasks called `once…` must not start again unless they failed of themselves."""
HEAL_SECONDS = 90
"""When nothing goes wrong any more, all is settled within so long: some leases, and the rest of the work."""


class World:
    """Everything there is; its methods are what can happen."""

    def __init__(self) -> None:
        clock.reset()
        self.ledger = Ledger()
        self.promises = Promises(self.ledger)
        self.channel = Channel(list(DISPATCHERS))
        self.dispatchers = {name: self._dispatcher(name) for name in DISPATCHERS}
        self.workers: list[SimulatedWorker] = []
        for name in SLOTS:
            self.start(name)
        fields = {"retry_delay_seconds": 1, "retry_max_delay_seconds": 2}
        self.tasks = {name: a_task(name=name, **fields, **values) for name, values in TASKS.items()}
        self.plans: list[Plan] = []

    def _dispatcher(self, name: str) -> SimulatedDispatcher:
        return SimulatedDispatcher(name, self.channel, self.ledger, ahead=1000.0 * (1 + DISPATCHERS.index(name)))

    # Time

    def pass_time(self, seconds: float) -> None:
        """Nobody says anything, but what goes on by itself goes on."""
        for _ in range(round(seconds / TICK_SECONDS)):
            clock.now += TICK_SECONDS
            for worker in self.workers:
                worker.tick()
            self.workers = [worker for worker in self.workers if not worker.gone]

    def calm(self, seconds: int = 1, finish: bool = False, without: str = "") -> None:
        """All goes well for a while, but nobody hears of the process `without`. With `finish`, commands end well."""
        for worker in self.workers:
            worker.cut_off(worker.name == without)
        for _ in range(seconds):
            self.pass_time(0.75)
            for job in [job for worker in self.awake for job in worker.pool.jobs] if finish else ():
                job.end("")
            self.pass_time(0.25)
            self.exchange(without)
        for worker in self.workers:
            worker.cut_off(False)

    def exchange(self, without: str = "") -> None:
        """At this moment all dispatchers do their duties, and then all workers hear all that is for them."""
        for name, dispatcher in self.dispatchers.items():
            if name != without:
                dispatcher.turn()
        for worker in self.awake:
            if worker.name != without:
                self.deliver(worker)

    @property
    def awake(self) -> list[SimulatedWorker]:
        return [worker for worker in self.workers if not worker.frozen and not worker.gone]

    @property
    def missing(self) -> list[str]:
        """Names of workers that are not there."""
        return [name for name in SLOTS if name not in {worker.name for worker in self.workers}]

    # Dispatchers

    def dispatch(self, name: str, most: int = 1000, last_first: bool = False) -> None:
        """A dispatcher takes some messages and does its duties."""
        self.dispatchers[name].turn(most, last_first)

    def crash(self, name: str, at: int, most: int = 1000) -> None:
        """In the midst of that its process is killed, and started anew."""

        def accident() -> None:
            raise Crash

        try:
            self.dispatchers[name].turn(most, at=at, accident=accident)
        except Crash:
            self.dispatchers[name] = self._dispatcher(name)

    def stand_still(self, name: str, at: int, seconds: int, most: int = 1000) -> None:
        """In the midst of that its process stands still, while all others go on."""
        self.dispatchers[name].turn(most, at=at, accident=lambda: self.calm(seconds, without=name))

    # Workers

    def start(self, name: str) -> SimulatedWorker:
        """A new process; the machine's clock is the same."""
        ahead = 10_000.0 * (1 + list(SLOTS).index(name))
        worker = SimulatedWorker(name, SLOTS[name], self.channel, self.ledger, ahead)
        self.workers.append(worker)
        return worker

    def worker(self, name: str) -> SimulatedWorker:
        return next(worker for worker in self.workers if worker.name == name)

    def command_ends(self, worker: SimulatedWorker, outcome: str | None) -> None:
        """The first one of a worker; None: it goes on, and its start is reported."""
        job = worker.pool.jobs[0]
        if outcome is not None:
            job.end(outcome)
        elif not worker.frozen:
            job.report_start()
        worker.tick()

    def _start_missing(self) -> None:
        for name in self.missing:
            self.start(name)

    def torment(self, worker: SimulatedWorker, what: str) -> None:
        """SIGSTOP, SIGKILL or SIGTERM, or somebody drains it."""
        if what == "drain":
            for row in WorkerInfo.objects.filter(boot_id=worker.incarnation.boot):
                row.drain()
        else:
            getattr(worker, what)()
        self.workers = [worker for worker in self.workers if not worker.gone]

    def bring_back(self, number: int) -> None:
        """Start one that is missing, or thaw one that stands still."""
        frozen = [worker for worker in self.workers if worker.frozen]
        which = number % (len(self.missing) + len(frozen))
        if which < len(frozen):
            frozen[which].thaw()
        else:
            self.start(self.missing[which - len(frozen)])

    def deliver(self, worker: SimulatedWorker, most: int = 1000, last_first: bool = False) -> None:
        """A worker gets messages."""
        worker.hear(self.channel.take(worker.box, most, last_first))

    # The broker

    def trouble(self, kind: str, which: int) -> None:
        """Something happens to one of the messages on their way, to one of the boxes, or to all."""
        if kind in ("wipe", "unconfirmed"):
            {"wipe": self.wipe, "unconfirmed": self.confirm_nothing}[kind]()
        elif self.channel.places:
            {"lose": self.channel.lose, "double": self.channel.double, "delay": self._delay}[kind](which)

    def _delay(self, which: int) -> None:
        name, _ = self.channel.places[which % len(self.channel.places)]
        self.channel.hold(name, self.channel.take(name, 1000))

    def wipe(self) -> None:
        """All messages are lost, and all connections are made anew."""
        self.channel.wipe()
        self.reconnect()

    def reconnect(self) -> None:
        """All connections are made anew, and confirmed again."""
        self.channel.confirming_workers = True
        for dispatcher in self.dispatchers.values():
            dispatcher.reconnect()
        for worker in self.awake:
            worker.connect()

    def confirm_nothing(self) -> None:
        """What workers send from now on reaches the broker, but they never hear of it."""
        self.channel.confirming_workers = False
        for worker in self.awake:
            worker.connect()

    # People

    @contextmanager
    def _web(self) -> Iterator[None]:
        """What is done within is committed, and its hints are sent."""

        def send(call: Callable[[Post], None]) -> None:
            call(Post(self.channel))

        with patch.object(outbox, "_send", send), TestCase.captureOnCommitCallbacks(execute=True):
            yield

    def submit(self, task: str, ahead: int = 0) -> TaskRun:
        """Trigger a run, now or for later."""
        later = clock.database + timedelta(seconds=ahead) if ahead else None
        with self._web():
            (run,) = actions.trigger([actions.Trigger(self.tasks[task], scheduled_for=later)], clock.database)
        return run

    def plan(self, every: int, name: str = "every") -> None:
        """Create a task that is due every so many seconds."""
        task = Task(name=f"{name}-{len(self.plans)}", executor="shell", command="true", schedule=f"@every {every}s")
        with self._web():
            actions.save(task, clock.database)
        self.plans.append(Plan(task, task.schedule, clock.database))

    def unplan(self, plan: Plan, how: str) -> None:
        """Take its schedule away (`stop`), or the whole task (`delete`)."""
        plan.until = clock.database
        task = Task.objects.get(pk=plan.task.pk)
        with self._web():
            if how == "delete":
                actions.delete(task, clock.database)
            else:
                task.schedule = ""
                actions.save(task, clock.database)

    def cancel(self, run: UUID) -> None:
        with self._web():
            actions.cancel([TaskRun.objects.get(pk=run)], clock.database)

    def retry(self, run: UUID) -> None:
        """A new run like `run`, where that has ended."""
        with self._web():
            actions.retry(TaskRun.objects.select_related("task").get(pk=run), clock.database)

    # The end

    def heal(self) -> None:
        """Nothing goes wrong any more: all that is owed must be done in a while, and all must agree."""
        for worker in self.workers:
            if worker.frozen:
                worker.thaw()
        self.reconnect()
        self.channel.release()
        self._start_missing()
        for row in WorkerInfo.objects.filter(draining=True):
            row.undrain()
        owed = list(TaskRun.objects.exclude(status__in=FINAL).values_list("pk", flat=True))
        for _ in range(HEAL_SECONDS):
            self.calm(finish=True)
            self.promises.check()
            self._start_missing()
            open_runs = TaskRun.objects.filter(pk__in=owed).exclude(status__in=FINAL)
            if not open_runs.exists() and not disagreements(self.workers):
                break
        assert not list(open_runs.values()), "every accepted run ends"
        assert not disagreements(self.workers), "workers and database agree on who holds what"
        check_all_nominal_times(self.plans, clock.database)
