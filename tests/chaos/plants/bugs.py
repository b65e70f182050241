"""Twelve bugs that schedulers have had, each as changes to modules of ours: plant → module → change.

Where the product has two safeguards against the same thing, the plant takes both away: else it would show nothing.
"""

import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace


def no_attempt_check(transitions):
    """Reports are believed whatever attempt they are of."""
    ordinary = transitions.locked

    def locked(keys, **also):
        current = transitions.TaskRun.objects.filter(pk__in=dict(keys)).values_list("pk", "attempt")
        return ordinary(current, **also)

    transitions.locked = locked


def fire_without_lock(fire):
    """Every dispatcher fires what it finds due, and nothing else is unique (see `SQL`)."""
    fire.claimed = lambda rows: rows


def fire_in_two_steps(fire):
    """Runs are made and the task goes on to its next time in two transactions, and nothing else is unique."""

    def two_steps(now):
        steps = fire.firing
        ready = fire.Task.objects.filter(status="active", deleted_at=None, next_fire_at__lte=now)
        with fire.transaction.atomic():
            fired = [steps.due(task, now) for task in fire.claimed(ready.order_by("next_fire_at"))[: fire.BATCH]]
            made = [run for each in fired for run in steps.runs(each, now)]
            steps.transitions.create(made)
        time.sleep(0.05)
        steps.update(fire.Task, ["id"], [{"id": each.task.pk, "next_fire_at": each.next} for each in fired])
        return made

    fire.fire = two_steps


def fire_apart(scheduler):
    """And no transaction is around them."""
    scheduler.transaction = SimpleNamespace(atomic=nullcontext)


def wall_clock(clock):
    """The dispatcher's own clock decides instead of the database's."""
    clock.database_now = lambda: datetime.now(UTC)
    clock.ClockWatch.jump = lambda self, now: None


def no_self_kill_lease(lease):
    """A worker goes on when its lease has ended."""
    lease.Incarnation.ended = property(lambda self: False)
    lease.Incarnation.may_act = property(lambda self: self._until is not None)


def no_self_kill_runner(runner):
    """And its helper process does not end the commands either."""
    runner.Runner.renew = lambda self, seconds: None


def no_resend(leases):
    """Nobody asks after an assignment that never arrived."""
    leases.IN_FLIGHT = timedelta(days=1)


def double_reaper(recover):
    """What was lost is found lost again by a second look, which knows nothing of the first."""
    ordinary, seen = recover.recover, {}

    def twice(now, *, blame=True):
        gone, lost = ordinary(now, blame=blame)
        again = [pk for pk, found in seen.items() if now - found > timedelta(seconds=2)]
        for run in recover.TaskRun.objects.filter(pk__in=again, status__in=recover.ACTIVE).select_related("task"):
            recover.transitions.end([recover.decide.lost(run, now, blame=False)], now)
        for pk in again:
            del seen[pk]
        seen.update({run.pk: now for run in lost})
        return gone, lost

    recover.recover = twice


def catch_up_off_by_one(due):
    """Of several nominal times that have become due together, the first is left out."""
    ordinary = due.due

    def short(task, now, **how):
        what = ordinary(task, now, **how)
        what.run = what.run[1:] if len(what.run) > 1 else what.run
        return what

    due.due = short


def no_heal(consumer):
    """A worker that has lost its connection once connects again, and consumes no more."""
    cls, connections = consumer.Consumer, []
    ordinary = cls.create_task_handler

    def handler(self, *args, **kwargs):
        connections.append(1)
        receive = ordinary(self, *args, **kwargs)
        return receive if len(connections) == 1 else lambda delivery: None

    cls.create_task_handler = handler
    cls._listen = lambda self, sender: None


def cancel_only_by_message(leases):
    """A cancel that did not arrive is not told again."""
    ordinary = leases._lease

    def silent(beat, worker, active, over, now):
        answer = ordinary(beat, worker, active, over, now)
        ours = {(run.pk, run.attempt) for run in active}
        kept = [key for key in answer.cancel if (key.run, key.attempt) not in ours]
        return type(answer)(answer.seq, answer.seconds, kept, answer.unknown, answer.now)

    leases._lease = silent


def final_left(transitions):
    """A report is believed though its run has ended."""
    transitions.ACTIVE = [status for status, _ in transitions.TaskRun.Status.choices]


def ack_before_commit(scheduler):
    """Reports are confirmed to the broker before they are written down, and the database takes its time.

    As workers are asked after what they no longer hold, and say once more how it ended, that must not be either.
    """
    ordinary = scheduler.record

    def later(messages, now, **how):
        if messages:
            time.sleep(0.3)
        return ordinary(messages, now, **how)

    cls = scheduler.Dispatcher
    duties = cls._duties

    def confirm_first(self, now):
        arrived = self._mail.arrived(now)
        self._mail.confirm()
        self._mail.arrived = lambda now: arrived
        try:
            return duties(self, now)
        finally:
            del self._mail.arrived

    scheduler.record = later
    cls._duties = confirm_first


PLANTS = {
    "no_attempt_check": {"tasks_app.transitions": no_attempt_check},
    "no_compare_and_set": {"tasks_app.dispatch.fire": fire_without_lock},
    "no_unique_fire": {"tasks_app.dispatch.fire": fire_in_two_steps, "tasks_app.dispatch.scheduler": fire_apart},
    "wall_clock": {"tasks_app.clock": wall_clock},
    "no_self_kill": {"workers_app.agent.lease": no_self_kill_lease, "workers_app.agent.runner": no_self_kill_runner},
    "no_resend": {"tasks_app.dispatch.leases": no_resend},
    "double_reaper": {"tasks_app.dispatch.recover": double_reaper},
    "catch_up_off_by_one": {"tasks_app.due": catch_up_off_by_one},
    "no_heal": {"workers_app.agent.consumer": no_heal},
    "cancel_only_by_message": {"tasks_app.dispatch.leases": cancel_only_by_message},
    "final_left": {"tasks_app.transitions": final_left},
    "ack_before_commit": {
        "tasks_app.dispatch.scheduler": ack_before_commit,
        "tasks_app.dispatch.leases": no_resend,
    },
}
UNIQUE = "run_one_per_nominal_time"
SQL = {
    "no_compare_and_set": f"DROP INDEX {UNIQUE}",
    "no_unique_fire": f"DROP INDEX {UNIQUE}",
}
"""What a plant does to the database."""
PROVOKED_BY = {
    "no_attempt_check": "reports_late",
    "no_compare_and_set": "kill_dispatcher",
    "no_unique_fire": "kill_dispatcher",
    "wall_clock": "clocks",
    "no_self_kill": "worker_unheard",
    "no_resend": "broker_restarted",
    "double_reaper": "kill_worker",
    "catch_up_off_by_one": "database_killed",
    "no_heal": "broker_restarted",
    "cancel_only_by_message": "broker_restarted",
    "final_left": "reports_late",
    "ack_before_commit": "kill_dispatcher",
}
"""The fault under which it must be found."""
SEEN_AS = {
    "no_attempt_check": {"stale_accepted"},
    "no_compare_and_set": {"doubled"},
    "no_unique_fire": {"doubled"},
    "wall_clock": {"early", "never_ended"},
    "no_self_kill": {"overlap"},
    "no_resend": {"never_ended"},
    "double_reaper": {"kills"},
    "catch_up_off_by_one": {"missed"},
    "no_heal": {"never_ended"},
    "cancel_only_by_message": {"cancel_ignored"},
    "final_left": {"final_left"},
    "ack_before_commit": {"never_ended"},
}
"""The kinds of finding that tell of it, each; others may come with them."""
ORDERS = {
    # All that runs when its worker is cut off ends unheard, within the lease, and still runs again when it is heard.
    "no_attempt_check": ("middling", "short"),
    "final_left": ("middling-once", "short"),
    # Much of it does not end within the lease, but soon enough to be seen to end beside its successor.
    "no_self_kill": ("longest", "short", "short", "short", "short"),
}
"""The tasks that are triggered then, where the usual ones would show it too seldom."""
