"""What a person reads, and the file a program reads."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import bars

FOLDER = Path(__file__).parent / "results"


def write(results: dict[str, Any], path: Path) -> str:
    """Judge the figures, write `path` and the same as a table beside it; return the table."""
    rows = bars.judge(results)
    results["bar"] = [asdict(row) for row in rows]
    results["missed"] = [row.name for row in rows if row.missed]
    table = "\n".join(_text(results, rows))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    path.with_suffix(".md").write_text(table)
    return table


def _text(results: dict[str, Any], rows: Sequence[bars.Row]) -> Iterable[str]:
    machine = results["machine"]
    yield f"# Benchmark ({results['size']}), {results['started_at']}, {results.get('seconds', 0)} s\n"
    yield f"{machine['cores']} cores, {machine['processor']}, {machine['system']}, Python {machine['python']}"
    for name, facts in machine["servers"].items():
        yield f"{name}: " + ", ".join(f"{key} {value}" for key, value in facts.items())
    yield ""
    yield from _table(
        ("the bar", "measured", "spread", "must", "aim", "verdict", "on"),
        [
            (row.name, _number(row.measured), _spread(row.spread), row.must, row.aim, row.verdict, row.on)
            for row in rows
        ],
    )
    if share := results["throughput"].get("share_of_fork_exec"):
        yield f"The best shell rate on PostgreSQL is {share:.0%} of this run's bare fork+exec rate.\n"
    for title, section in SECTIONS.items():
        if lines := section(results):
            yield f"## {title}\n"
            yield from _table(*lines)
    for gap in results["not_measured"]:
        yield f"- Not measured: {gap['measure'] or 'everything'} {gap['stack']}: {gap['why']}"
    yield ""


Table = tuple[Sequence[str], list[Sequence[str]]]


def _floor(results: dict[str, Any]) -> Table | None:
    found = results.get("floor")
    if not found:
        return None
    return ("floor", "median", "spread"), [(n.replace("_", " "), *_shown(figure)) for n, figure in found.items()]


def _throughput(results: dict[str, Any]) -> Table | None:
    rows: list[Sequence[str]] = [
        (f"{kind} {stack}", *_shown(row["per_minute"]), _cpu(row["cpu_ms_per_run"]))
        for kind in ("shell", "http")
        for stack, row in results["throughput"][kind].items()
    ]
    baseline = results.get("baseline", {})
    for name in ("tuned", "default"):
        if row := baseline.get(name):
            what = f"Celery {name}: {row['worker_processes']} × {row['pool']}({row['concurrency']}), {row['broker']}"
            rows.append((what, *_shown(row["per_minute"]), _cpu(row["cpu_ms_per_run"])))
            rows.append((f"… times as fast as Celery {name}: ours", *_shown(row["ours_is_times_faster"]), ""))
            rows.append((f"… times our CPU per run: Celery {name}", *_shown(row["takes_times_our_cpu"]), ""))
    return (("runs a minute", "median", "spread", "CPU ms per run"), rows) if rows else None


def _latency(results: dict[str, Any]) -> Table | None:
    rows: list[Sequence[str]] = []
    for title, section in _lags(results):
        shares = (_number(section[share]["median"]) for share in ("p50", "p90", "p99", "max"))
        rows.append((title, *shares, _spread(section["p99"]["spread"])))
    return (("ms", "p50", "p90", "p99", "longest", "spread of p99"), rows) if rows else None


def _lags(results: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    found = results.get("latency", {})
    for way, section in (("", found), ("by ten in bulk: ", found.get("bulk10", {}))):
        for name, title in (
            ("trigger_to_start_ms", "trigger accepted → process started"),
            ("scheduled_to_start_ms", "trigger due by the load's schedule → process started"),
            ("answer_ms", "trigger sent → accepted"),
        ):
            if name in section:
                yield way + title, section[name]
    if "scale" in results:
        yield "many tasks, nominal time → run made", results["scale"]["lag_ms"]
        yield "many tasks, nominal time → process started", results["scale"]["start_ms"]
    if "cron" in results:
        yield "cron, nominal time → process started", results["cron"]["cron_lag_ms"]


def _memory(results: dict[str, Any]) -> Table | None:
    rows: list[Sequence[str]] = []
    found = results.get("memory", {"pss_mb": {}})
    for name, value in found["pss_mb"].items():
        rows.append((f"idle {name}", _number(value), f"{found['idle_cpu_percent'].get(name, 0):g} % CPU"))
    for attempt in results.get("concurrency", {}).get("attempts", []):
        for name, memory in attempt["memory"].items():
            rows.append((f"{attempt['max_running']:,} at once: {name}", _number(memory["pss"]), ""))
    return (("memory", "PSS MB", ""), rows) if rows else None


def _schedules(results: dict[str, Any]) -> Table | None:
    rows: list[Sequence[str]] = []
    if found := results.get("planning"):
        rows += [(f"next fire, {name}", _number(each["next_ms"]), "ms") for name, each in found["single"].items()]
        rows += [(f"reading it, {name}", _number(each["read_ms"]), "ms") for name, each in found["single"].items()]
        rows += [(f"what is due after {name}", _number(value), "ms") for name, value in found["outages"].items()]
    if found := results.get("apply"):
        rows.append((f"apply again, {found['tasks']:,} tasks, unchanged", _number(found["again_seconds"]), "s"))
    if found := results.get("fires"):
        for name, each in (("ours", found), ("django-celery-beat", found["beat"])):
            costs = ", ".join(f"{who} {value:.2f}" for who, value in each["cpu_ms_per_fire"].items())
            rows.append((f"fires a second, {name}", _number(each["per_second"]), f"CPU ms per fire: {costs}"))
        rows.append(("… times as fast, ours", _number(found["times_faster"]), ""))
        rows.append(("… times our CPU per fire, django-celery-beat", _number(found["times_less_cpu"]), ""))
    return (("schedules", "", ""), rows) if rows else None


SECTIONS = {
    "Schedules": _schedules,
    "The machine's floor": _floor,
    "Throughput": _throughput,
    "Latency": _latency,
    "Memory": _memory,
}


def _shown(figure: dict[str, Any]) -> tuple[str, str]:
    return _number(figure["median"]), _spread(figure["spread"])


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _spread(spread: Sequence[float]) -> str:
    return "–".join(map(_number, spread)) if spread else ""


def _cpu(costs: dict[str, Any]) -> str:
    total = sum(figure["median"] for figure in costs.values())
    parts = ", ".join(f"{name} {figure['median']:.2f}" for name, figure in costs.items() if figure["median"] >= 0.005)
    return f"{total:.2f}: {parts}"


def _table(head: Sequence[str], rows: list[Sequence[str]]) -> Iterable[str]:
    """Markdown that lines up as plain text, too."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, ["-" * width for width in widths], *rows):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
    yield ""
