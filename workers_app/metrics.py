"""What a process has counted, for Prometheus to scrape."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from workers_app import environment
from workers_app.events import events
from workers_app.messaging.dropped import dropped


class Counted(Collector):
    """Shows plain counters, so that whoever counts needs to know nothing of Prometheus."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield _family("scheduler_events", "What went otherwise than planned and was put right.", "kind", events)
        yield _family("scheduler_messages_dropped", "Messages that nobody acted on.", "reason", dropped)


def _family(name: str, help_text: str, label: str, counts: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value, number in sorted(counts.items()):
        family.add_metric([value], number)
    return family


REGISTRY.register(Counted())


CONTENT_TYPE = CONTENT_TYPE_LATEST


def exposition() -> bytes:
    """All of it, as Prometheus reads it."""
    return generate_latest()


def serve() -> None:
    """Show it on `METRICS_PORT` of `METRICS_ADDRESS` (default 127.0.0.1); not at all where no port is set."""
    port = int(environment.number("METRICS_PORT", 0, 0, 65_535))
    if port:
        start_http_server(port, environment.text("METRICS_ADDRESS", "127.0.0.1"))
