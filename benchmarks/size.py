"""How much is measured: enough for figures to rely on, or as much as goes into two minutes."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    """Numbers of one benchmark."""

    name: str
    rounds: int
    runs: int
    """In one round of throughput."""
    warm_up: int
    http_rounds: int
    http_runs: int
    workers: int
    """Worker processes; one asyncio process alone cannot use two cores."""
    rival_runs: int
    """In one round of the tuned Celery baseline, which is slower; a quarter of it in that of the default one."""
    try_tunings: bool
    """Find the fastest configuration of the baseline here, instead of taking the one that was before."""
    latency_seconds: int
    latency_rounds: int
    cron_tasks: int
    cron_fires: int
    at_once: tuple[int, ...]
    idle_seconds: float
    floor_seconds: float
    stream_tasks: int
    stream_rounds: int
    stream_prefetches: tuple[str, ...]
    waiting_runs: int
    """That hold up one that is ready."""
    flow_tasks: int
    child_seconds: float
    fan_out_items: int
    rate_seconds: int
    planning_seconds: float
    apply_tasks: int
    fires_tasks: int
    """All due at once."""
    beat_tasks: int
    beat_seconds: float
    scale_tasks: int
    due_per_minute: int
    scale_seconds: int
    matrix: dict[str, tuple[str, ...]]
    """Database → the brokers it is measured with, the one we expect most of first."""


FULL = Size(
    name="full",
    rounds=5,
    runs=10_000,
    warm_up=1_000,
    http_rounds=5,
    http_runs=5_000,
    workers=2,
    rival_runs=5_000,
    try_tunings=True,
    latency_seconds=30,
    latency_rounds=3,
    cron_tasks=1_000,
    cron_fires=3,
    at_once=(1_000, 5_000),
    idle_seconds=10.0,
    floor_seconds=2.0,
    stream_tasks=10_000,
    stream_rounds=5,
    stream_prefetches=("default", "tuned"),
    waiting_runs=100_000,
    flow_tasks=1_000,
    child_seconds=30.0,
    fan_out_items=10_000,
    rate_seconds=60,
    planning_seconds=5.0,
    apply_tasks=10_000,
    fires_tasks=150_000,
    beat_tasks=1_000,
    beat_seconds=20.0,
    scale_tasks=1_000_000,
    due_per_minute=10_000,
    scale_seconds=180,
    matrix={
        "postgresql": ("redis-streams", "redis-lists", "rabbitmq"),
        "sqlite": ("valkey-streams", "valkey-lists", "rabbitmq"),
    },
)
QUICK = Size(
    name="quick",
    rounds=2,
    runs=2_000,
    warm_up=100,
    http_rounds=1,
    http_runs=1_000,
    workers=2,
    rival_runs=800,
    try_tunings=False,
    latency_seconds=3,
    latency_rounds=1,
    cron_tasks=1_000,
    cron_fires=1,
    at_once=(1_000,),
    idle_seconds=1.0,
    floor_seconds=0.2,
    stream_tasks=1_000,
    stream_rounds=1,
    stream_prefetches=("default",),
    waiting_runs=2_000,
    flow_tasks=100,
    child_seconds=3.0,
    fan_out_items=300,
    rate_seconds=3,
    planning_seconds=0.5,
    apply_tasks=500,
    fires_tasks=3_000,
    beat_tasks=1_000,
    beat_seconds=2.0,
    scale_tasks=20_000,
    due_per_minute=10_000,
    scale_seconds=3,
    matrix={"postgresql": ("redis-streams", "rabbitmq"), "sqlite": ("valkey-streams",)},
)


def of_stack(size: Size, broker: str) -> Size:
    """The quick benchmark spends its time on the brokers we expect most of."""
    if size.name != "quick" or broker != "rabbitmq":
        return size
    return replace(size, rounds=1, runs=size.runs // 2, http_runs=size.http_runs // 2)
