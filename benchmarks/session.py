"""One whole benchmark: everything in turn; what goes wrong with one measure does not end the others."""

import subprocess
import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import redis
from kombu.exceptions import KombuError

from benchmarks import bars, floor, machine, plan, servers, size, transport
from benchmarks.plan import Step
from benchmarks.size import Size
from benchmarks.stack import Failed, Stack

ERRORS = (
    Failed,
    KombuError,
    AssertionError,
    ExceptionGroup,
    LookupError,
    OSError,
    ValueError,
    psycopg.Error,
    redis.RedisError,
    subprocess.SubprocessError,
    urllib.error.URLError,
)
"""What may go wrong with one measure without ending the others."""


@dataclass
class Session:
    """`results` is what goes into the file."""

    size: Size
    only: list[str]
    stacks: list[tuple[str, str]]
    folder: Path
    tell: Callable[[str], None]
    results: dict[str, Any] = field(default_factory=dict)

    def run(self) -> None:
        begun = time.monotonic()
        self.results |= {"size": self.size.name, "started_at": datetime.now(UTC).isoformat(timespec="seconds")}
        self.results |= {"machine": machine.facts(), "throughput": {"shell": {}, "http": {}}, "not_measured": []}
        self._plan()
        floors = [*self._floor()]
        first = True
        for kind, broker in self.stacks:
            first = not self._on_stack(kind, broker, first) and first
        self._streams()
        floors += self._floor()
        if floors:
            self.results["floor"] = floor.summary(floors)
        self.results["throughput"]["share_of_fork_exec"] = bars.share_of_floor(self.results)
        self.results["seconds"] = round(time.monotonic() - begun)

    def _plan(self) -> None:
        self._steps = [Step("floor", "", plan.seconds("floor", self.size))] * (2 * ("floor" in self.only))
        for number, (kind, broker) in enumerate(self.stacks):
            own = size.of_stack(self.size, broker)
            self._steps += plan.steps(f"{kind}/{broker}", number == 0, self.only, own)
        if "streams" in self.only:
            self._steps.append(Step("streams", "", plan.seconds("streams", self.size)))
        self._left = sum(step.seconds + 1 for step in self._steps)
        self._number = 0
        self.tell(f"{len(self._steps)} steps, about {self._left:.0f} s in all")

    def _floor(self) -> list[dict[str, float]]:
        if "floor" not in self.only:
            return []
        self._announce(Step("floor", "", plan.seconds("floor", self.size)))
        return [floor.measure(self.size.floor_seconds, self.folder, servers.addresses().get("postgresql", ""))]

    def _on_stack(self, kind: str, broker: str, first: bool) -> bool:
        """Take all measures on one stack; False where it could not even be started."""
        own = size.of_stack(self.size, broker)
        steps = plan.steps(f"{kind}/{broker}", first, self.only, own)
        if not steps:
            return False
        try:
            with Stack(kind, broker, self.folder) as stack:
                for step in steps:
                    self._take(step, stack, own)
        except servers.Missing as error:
            self._miss("", f"{kind}/{broker}", error)
            return False
        except ERRORS as error:
            self._miss("throughput", f"{kind}/{broker}", error)
            return False
        return True

    def _take(self, step: Step, stack: Stack, own: Size) -> None:
        self._announce(step)
        try:
            found = plan.MEASURES[step.measure](stack, own, self.tell)
        except servers.Missing as error:
            self._miss(step.measure, step.on, error)
            if step.measure == "baseline":
                self._take(Step("shell", step.on, plan.seconds("shell", own)), stack, own)
        except ERRORS as error:
            self._miss("throughput" if step.measure in ("shell", "http") else step.measure, step.on, error)
            stack.calm()
        else:
            self._keep(step, found)

    def _keep(self, step: Step, found: dict[str, Any]) -> None:
        if step.measure in ("shell", "http"):
            self.results["throughput"][step.measure][step.on] = found
            return
        if step.measure == "baseline":
            self.results["throughput"]["shell"][step.on] = found.pop("shell")
        self.results[step.measure] = {"stack": step.on, **found}

    def _streams(self) -> None:
        if "streams" not in self.only:
            return
        self._announce(Step("streams", "", plan.seconds("streams", self.size)))
        try:
            self.results["streams"] = transport.measure(self.size)
        except (servers.Missing, *ERRORS) as error:
            self._miss("streams", "", error)

    def _announce(self, step: Step) -> None:
        self._number += 1
        where = f" on {step.on}" if step.on else ""
        self.tell(f"{self._number} of {len(self._steps)}: {step.measure}{where}, about {step.seconds:.0f} s")

    def _miss(self, measure: str, on: str, error: BaseException) -> None:
        why = str(error) or type(error).__name__
        failed = not isinstance(error, servers.Missing)
        self.results["not_measured"].append({"measure": measure, "stack": on, "why": why, "failed": failed})
        self.tell(f"NOT MEASURED: {measure or 'everything'} {on}: {why}")
