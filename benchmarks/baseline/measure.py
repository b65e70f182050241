"""Ours against the baseline: the same command, the same PostgreSQL server, in turn."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from benchmarks import contest, throughput
from benchmarks.baseline import tune
from benchmarks.baseline.rival import Rival
from benchmarks.size import Size
from benchmarks.stack import Stack


def measure(stack: Stack, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    """All stand ready at the same time; only one of them has work. Raises `servers.Missing`."""
    tuning, tried = tune.fastest(stack.folder, tell) if size.try_tunings else (tune.tunings()[0], {})
    with ExitStack() as exits:
        rivals = [
            exits.enter_context(Rival(tuning, size.rival_runs, stack.folder)),
            exits.enter_context(Rival(tune.default(), size.rival_runs // 4, stack.folder)),
        ]
        ours = throughput.shell_runs(stack, size)
        rounds = contest.alternate([ours, *rivals], size.rounds, size.warm_up, tell)
    found = {name.removeprefix("celery-"): contest.summary(each) for name, each in rounds.items()}
    for rival in rivals:
        pair = rounds["shell"], rounds[rival.name]
        found[rival.tuning.name]["ours_is_times_faster"] = contest.ratio(*pair)
        found[rival.tuning.name]["takes_times_our_cpu"] = contest.cpu_ratio(*pair)
    return {**found, "tunings_tried_per_minute": tried}
