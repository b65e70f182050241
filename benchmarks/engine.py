"""Measures a running `make run` from outside, over its API.

    python benchmarks/engine.py throughput 2000     2,000 shell runs of `true`, from trigger to stored result
    python benchmarks/engine.py latency 50 40       50 triggers a second for 40 s: accepted → process started
    python benchmarks/engine.py concurrency 1000    1,000 runs of `sleep 5` at once (WORKER_MAX_TASKS=1000 make run)

CPU is that of each process and its reaped children, per run. Clocks: all on this machine.
"""

import argparse
import json
import os
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
OPEN = "status=pending&status=assigned&status=running"


class Scheduler:
    """The API and the processes of a standalone installation."""

    def __init__(self, state_dir: Path) -> None:
        card = json.loads((state_dir / "standalone.json").read_text())
        self.api = f"{card['url']}/api/v1/"
        self.headers = {"Authorization": f"Api-Key {card['api_key']}", "Content-Type": "application/json"}
        self.pids: dict[str, int] = card["pids"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, method=method, data=data, headers=self.headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the address of our own card
            return json.loads(answer.read())

    def task(self, command: str) -> int:
        body = {"name": f"benchmark {time.time()}", "executor": "shell", "command": command}
        return int(self.call("POST", "tasks/", body)["id"])

    def trigger(self, task: int, number: int) -> None:
        for begin in range(0, number, 1000):
            self.call("POST", "runs/bulk/", [{"task": task}] * min(1000, number - begin))

    def await_end(self, task: int) -> None:
        while self.call("GET", f"runs/?task={task}&{OPEN}&page_size=1")["results"]:
            time.sleep(0.1)

    def outcomes(self, task: int) -> dict[str, int]:
        found: Counter[str] = Counter()
        page = f"runs/?task={task}&page_size=500"
        while page:
            answer = self.call("GET", page)
            found.update(f"{run['status']}, attempt {run['attempt']}" for run in answer["results"])
            page = (answer["next"] or "").removeprefix(self.api)
        return dict(found)

    def cpu(self) -> dict[str, float]:
        """Seconds so far."""
        found = {}
        for name, pid in self.pids.items():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            found[name] = sum(map(int, fields[11:15])) / TICKS
        return found


def per_run(before: dict[str, float], after: dict[str, float], number: int) -> str:
    used = {name: round((after[name] - before[name]) / number * 1000, 2) for name in before}
    return "CPU ms per run: " + ", ".join(f"{name} {value}" for name, value in used.items())


def throughput(scheduler: Scheduler, number: int) -> None:
    task = scheduler.task("true")
    cpu, begun = scheduler.cpu(), time.monotonic()
    scheduler.trigger(task, number)
    scheduler.await_end(task)
    seconds = time.monotonic() - begun
    print(f"{number} runs in {seconds:.2f} s: {number / seconds * 60:,.0f} a minute")
    print(per_run(cpu, scheduler.cpu(), number))
    print(scheduler.outcomes(task))


def latency(scheduler: Scheduler, rate: int, seconds: int) -> None:
    task = scheduler.task("date +%s.%N")
    accepted: dict[str, float] = {}

    def trigger() -> None:
        run = scheduler.call("POST", f"tasks/{task}/run/", {})
        accepted[run["id"]] = time.time()

    cpu, begun = scheduler.cpu(), time.monotonic()
    with ThreadPoolExecutor(32) as threads:
        for number in range(rate * seconds):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            threads.submit(trigger)
    scheduler.await_end(task)
    print(per_run(cpu, scheduler.cpu(), len(accepted)))
    lags = []
    for run, time_accepted in accepted.items():
        (piece,) = scheduler.call("GET", f"runs/{run}/logs/")["logs"]
        lags.append((float(piece["text"]) - time_accepted) * 1000)
    lags.sort()
    shown = {share: lags[min(int(len(lags) * share), len(lags) - 1)] for share in (0.5, 0.9, 0.99, 1)}
    print(
        f"{len(lags)} runs, accepted → started in ms: " + ", ".join(f"p{s * 100:g} {v:.1f}" for s, v in shown.items())
    )


def concurrency(scheduler: Scheduler, number: int) -> None:
    task = scheduler.task("exec sleep 5")
    scheduler.trigger(task, number)
    begun, most = time.monotonic(), 0
    while time.monotonic() - begun < 60:
        running = _count("sleep")
        most = max(most, running)
        if most and not running:
            break
        time.sleep(0.1)
    scheduler.await_end(task)
    print(f"most at once: {most}; all ended after {time.monotonic() - begun:.1f} s")
    status = Path(f"/proc/{scheduler.pids['worker']}/status").read_text()
    (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    print(f"worker's peak memory: {int(peak) / 1000:.1f} MB resident, {_pss(scheduler.pids['worker']):.1f} MB PSS now")
    print(scheduler.outcomes(task))


def _count(name: str) -> int:
    number = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                number += (folder / "comm").read_text() == f"{name}\n"
            except OSError:
                continue
    return number


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", choices=["throughput", "latency", "concurrency"])
    parser.add_argument("numbers", type=int, nargs="+")
    parser.add_argument("--state-dir", type=Path, default=Path(os.environ.get("STATE_DIR") or "var"))
    given = parser.parse_args()
    {"throughput": throughput, "latency": latency, "concurrency": concurrency}[given.measure](
        Scheduler(given.state_dir), *given.numbers
    )


if __name__ == "__main__":
    main()
