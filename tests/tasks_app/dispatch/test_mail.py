"""Messages are taken in batches, and never for long."""

import time

from tasks_app.dispatch import mail
from tasks_app.dispatch.mail import Mail


class SlowConnection:
    """Each message takes so long that the next one has come by then."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    def drain_events(self, timeout: float) -> None:
        time.sleep(0.02)
        self._mail._deliveries.append(None)


def test_messages_that_come_without_end_hold_up_nothing_else():
    taker = Mail.__new__(Mail)
    taker._deliveries = []
    began = time.monotonic()
    taker._drain(SlowConnection(taker), 1.0, began)
    assert time.monotonic() - began < 10 * mail.TAKE_SECONDS
    assert 1 < len(taker._deliveries) < mail.BATCH
