"""The bar: what each figure must reach, what it should, and whether it did."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Results = dict[str, Any]
MET, AIM_MET, MISSED = "met", "aim met", "MISSED"
SIGNS = {"≥": operator.ge, "≤": operator.le, "<": operator.lt}


@dataclass(frozen=True)
class Limit:
    """Such as `< 100`."""

    sign: str
    value: float

    def holds(self, value: float) -> bool:
        return bool(SIGNS[self.sign](value, self.value))

    def __str__(self) -> str:
        return f"{self.sign} {self.value:,g}"


@dataclass(frozen=True)
class Bar:
    """One row of the issue that asks for it."""

    name: str
    measure: str
    """Where the figure comes from."""
    find: Callable[[Results], tuple[Any, str]]
    """The figure (a number, or one with its spread) and what it was taken on; raises `LookupError`."""
    must: Limit
    aim: Limit
    also: Callable[[Results], bool] = lambda results: True
    """What the aim asks besides."""
    also_text: str = ""


@dataclass(frozen=True)
class Row:
    """A bar beside what was measured."""

    name: str
    measured: float | None
    spread: list[float]
    on: str
    must: str
    aim: str
    verdict: str

    @property
    def missed(self) -> bool:
        return self.verdict.startswith((MISSED, "INVALID"))


def judge(results: Results) -> list[Row]:
    return [_judged(bar, results) for bar in BARS]


def _judged(bar: Bar, results: Results) -> Row:
    aim = f"{bar.aim}{bar.also_text}"
    try:
        found, on = bar.find(results)
    except LookupError:
        return Row(bar.name, None, [], "", str(bar.must), aim, _absent(bar, results))
    value, spread = (found["median"], found["spread"]) if isinstance(found, dict) else (found, [])
    verdict = MISSED
    if bar.must.holds(value):
        verdict = AIM_MET if bar.aim.holds(value) and bar.also(results) else MET
    return Row(bar.name, value, spread, on, str(bar.must), aim, verdict)


def _absent(bar: Bar, results: Results) -> str:
    """A figure that could not be taken for what is missing here is no failure; one that went wrong is."""
    gaps = [gap for gap in results.get("not_measured", []) if gap["measure"] == bar.measure]
    gaps += [gap for gap in results.get("not_measured", []) if gap["measure"] == ""]
    failed = [gap["why"] for gap in gaps if gap["failed"]]
    if failed:
        return f"INVALID: {failed[0]}"
    return f"not measured: {gaps[0]['why'] if gaps else 'not asked for'}"


def _best(database: str, brokers: str) -> Callable[[Results], tuple[Any, str]]:
    """The fastest shell rate with this database and a broker whose name begins so."""

    def find(results: Results) -> tuple[Any, str]:
        rates = {
            stack: row["per_minute"]
            for stack, row in results["throughput"]["shell"].items()
            if stack.startswith(f"{database}/{brokers}")
        }
        if not rates:
            raise LookupError
        best = max(rates, key=lambda stack: rates[stack]["median"])
        return rates[best], best

    return find


def _on_postgresql(measure: str, *path: str) -> Callable[[Results], tuple[Any, str]]:
    """A figure that counts only if it was taken on PostgreSQL."""

    def find(results: Results) -> tuple[Any, str]:
        section = results[measure]
        if not section["stack"].startswith("postgresql/"):
            raise LookupError
        found = section
        for name in path:
            found = found[name]
        return found, section["stack"]

    return find


def _with(number: str, measure: str, *path: str) -> Callable[[Results], tuple[Any, str]]:
    """The same, and how many of something there were: the quick benchmark has fewer."""

    def find(results: Results) -> tuple[Any, str]:
        found, stack = _on_postgresql(measure, *path)(results)
        return found, f"{results[measure][number]:,} {number}, {stack}"

    return find


def _with_tasks(measure: str, *path: str) -> Callable[[Results], tuple[Any, str]]:
    return _with("tasks", measure, *path)


def _streams(results: Results) -> tuple[Any, str]:
    return results["streams"]["ratio"], "redis"


def _largest_process(results: Results) -> tuple[Any, str]:
    sizes, stack = _on_postgresql("memory", "pss_mb")(results)
    largest = max(("web", "dispatcher", "worker"), key=lambda name: sizes[name])
    return sizes[largest], f"{largest}, {stack}"


def share_of_floor(results: Results) -> float | None:
    """The best shell rate on PostgreSQL as a share of the bare fork+exec rate, if both were measured."""
    try:
        rate, _ = _best("postgresql", "")(results)
        return round(float(rate["median"] / 60 / results["floor"]["fork_exec_per_second"]["median"]), 3)
    except LookupError:
        return None


def _much_of_the_floor(results: Results) -> bool:
    return (share_of_floor(results) or 0) >= 0.4


def _median_start_is_soon(results: Results) -> bool:
    return bool(results["latency"]["trigger_to_start_ms"]["p50"]["median"] < 10)


BARS = (
    Bar(
        "shell runs a minute, PostgreSQL, best broker",
        "throughput",
        _best("postgresql", ""),
        Limit("≥", 30_000),
        Limit("≥", 60_000),
        _much_of_the_floor,
        " and ≥ 40 % of bare fork+exec",
    ),
    Bar(
        "times as fast as tuned Celery, same run",
        "baseline",
        _on_postgresql("baseline", "tuned", "ours_is_times_faster"),
        Limit("≥", 2),
        Limit("≥", 4),
    ),
    Bar(
        "trigger accepted → started at 10,000/min, p99 ms",
        "latency",
        _on_postgresql("latency", "trigger_to_start_ms", "p99"),
        Limit("<", 100),
        Limit("<", 40),
        _median_start_is_soon,
        ", p50 < 10",
    ),
    Bar(
        "cron due → started, 1,000 due at once, p99 ms",
        "cron",
        _on_postgresql("cron", "cron_lag_ms", "p99"),
        Limit("<", 1_000),
        Limit("<", 400),
    ),
    Bar("streams: worker CPU, as a share of kombu's lists", "streams", _streams, Limit("≤", 0.6), Limit("≤", 0.35)),
    Bar(
        "running at once, one worker",
        "concurrency",
        _on_postgresql("concurrency", "max_running"),
        Limit("≥", 1_000),
        Limit("≥", 5_000),
    ),
    Bar("memory at idle, largest process, PSS MB", "memory", _largest_process, Limit("<", 80), Limit("<", 50)),
    Bar(
        "shell runs a minute, SQLite, embedded Valkey",
        "throughput",
        _best("sqlite", "valkey"),
        Limit("≥", 10_000),
        Limit("≥", 20_000),
    ),
    Bar(
        "a ready run behind blocked ones starts, worst of 40, ms",
        "blocked",
        _with("waiting", "blocked", "worst_ms"),
        Limit("<", 500),
        Limit("<", 100),
    ),
    Bar(
        "a run of another namespace than the one with many starts, worst of 20, ms",
        "tenants",
        _with("waiting", "tenants", "ms", "max"),
        Limit("<", 500),
        Limit("<", 100),
    ),
    Bar(
        "a flow in 10 layers, trigger → done, s",
        "flow",
        _with("tasks", "flow", "seconds"),
        Limit("<", 10),
        Limit("<", 3),
    ),
    Bar(
        "a child starts after its last parent, 5,000 runs a minute, p99 ms",
        "children",
        _on_postgresql("children", "lag_ms", "p99"),
        Limit("<", 200),
        Limit("<", 50),
    ),
    Bar(
        "fan-out with join, s",
        "fan_out",
        _with("items", "fan_out", "seconds"),
        Limit("<", 60),
        Limit("<", 20),
    ),
    Bar(
        "rate of 100 a second, three dispatchers: most in any second",
        "rate",
        _on_postgresql("rate", "most_in_a_second"),
        Limit("≤", 100),
        Limit("≤", 100),
    ),
    Bar(
        "next fires a second, one core",
        "planning",
        _on_postgresql("planning", "next_fires_per_second"),
        Limit("≥", 20_000),
        Limit("≥", 60_000),
    ),
    Bar(
        "the hardest single next fire, ms",
        "planning",
        _on_postgresql("planning", "next_ms"),
        Limit("≤", 50),
        Limit("≤", 5),
    ),
    Bar(
        "what is due after 101 minutes, 400 days, ms",
        "planning",
        _on_postgresql("planning", "outage_ms"),
        Limit("≤", 100),
        Limit("≤", 100),
    ),
    Bar(
        "apply of 10,000 tasks, s",
        "apply",
        _with_tasks("apply", "seconds"),
        Limit("<", 30),
        Limit("<", 5),
    ),
    Bar(
        "fires a second sustained, one dispatcher",
        "fires",
        _with_tasks("fires", "per_second"),
        Limit("≥", 1_000),
        Limit("≥", 5_000),
    ),
    Bar(
        "fire lag, 1,000,000 tasks, 10,000 due a minute, p99 ms",
        "scale",
        _with_tasks("scale", "lag_ms", "p99"),
        Limit("<", 1_000),
        Limit("<", 250),
    ),
    Bar(
        "dispatcher's memory with 1,000,000 tasks, PSS MB",
        "scale",
        _with_tasks("scale", "dispatcher_pss_mb"),
        Limit("<", 120),
        Limit("<", 80),
    ),
)
