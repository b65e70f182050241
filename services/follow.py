"""Running a command in our place: it gets our signals, we get its exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def follow(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end; returns its exit code as a shell tells it (128 + signal; 127 if there is none)."""
    # A terminal sends Ctrl-C to its whole foreground group, so the command stays in it and is not told twice.
    # Elsewhere the command has a group of its own, so that a signal reaches it once: from us.
    terminal = sys.stdin is not None and sys.stdin.isatty()
    early: list[int] = []
    with _signals_to(early.append):
        try:
            child = subprocess.Popen(command, env=environment, process_group=None if terminal else 0)  # noqa: S603 - as asked
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            return 127
        with _signals_to(lambda number: None if terminal and number == signal.SIGINT else child.send_signal(number)):
            for number in early:
                child.send_signal(number)
            code = child.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signals_to(receiver: Callable[[int], None]) -> Iterator[None]:
    def receive(number: int, frame: FrameType | None) -> None:
        receiver(number)

    # One that is ignored, as by nohup, stays so: for the command too.
    wanted = [each for each in SIGNALS if signal.getsignal(each) != signal.SIG_IGN]
    before = {each: signal.signal(each, receive) for each in wanted}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def environment_with(**values: str) -> dict[str, str]:
    """Our own environment and more."""
    return {**os.environ, **values}
