"""What an attempt says while it runs: that it started, and its output; bounded, decoded, cut at line ends."""

import asyncio
import codecs
import time
from collections.abc import Callable

from executors.output import HeadTail
from workers_app.agent import settings
from workers_app.bucket import Bucket
from workers_app.events import note_often
from workers_app.messaging.protocol import AttemptKey, Output, Started

LIMIT_BYTES = 256 * 1024
"""What is kept of an attempt's output; between head and tail the rest is dropped, and said to be."""
SHORT_BYTES = 16 * 1024
"""The same while this worker's attempts together say more than it may report."""
BURST_SECONDS = 4.0
"""So much of what it may report in the long run it may report at once."""
STARTED_SECONDS = 0.05
"""What ends sooner reports its start together with its end: one message instead of two."""
FLUSH_SECONDS = 0.2
PIECE_CHARS = 16 * 1024


class Flow:
    """How much all attempts of this worker together may say: `WORKER_OUTPUT_BYTES` a second."""

    def __init__(self) -> None:
        self._bucket = Bucket()

    def is_too_much(self) -> bool:
        """Whether more was said lately than may be."""
        rate = settings.OUTPUT_BYTES
        return self._bucket.wait(1, rate, BURST_SECONDS * rate, time.monotonic()) > 0

    def take(self, size: int) -> None:
        """So many bytes are reported."""
        self._bucket.tokens -= size


class AttemptOutput:
    """Takes output in any chunks and reports it in pieces, at the latest `FLUSH_SECONDS` after it came.

    Made on the loop when the attempt starts. All attempts share a `flow`; when that is too much, those who still talk
    are cut short, so that the others are heard.
    """

    def __init__(self, key: AttemptKey, report: Callable[[Started | Output], None], flow: Flow) -> None:
        self._key = key
        self._report = report
        self._flow = flow
        self._kept = HeadTail(LIMIT_BYTES)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._pieces = 0
        self._told = False
        self._begun = time.monotonic()
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(STARTED_SECONDS, self._flush)

    def write(self, chunk: bytes) -> None:
        """Take a chunk; called on the loop."""
        if self._flow.is_too_much() and self._kept.shorten(SHORT_BYTES):
            why = "Output of run %s is cut: attempts here say more than %g bytes a second (WORKER_OUTPUT_BYTES)."
            note_often("output_cut", why, self._key.run, settings.OUTPUT_BYTES)
        if kept := self._kept.feed(chunk):
            self._flow.take(len(kept))
            self._text += self._decode(kept)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush)

    def close(self, *, begun: bool = True) -> None:
        """Report what is left, and, unless the attempt has not `begun` at all, that it started."""
        if self._timer:
            self._timer.cancel()
        if begun:
            self._begin()
        self._text += self._decode(self._kept.finish(), True)
        self._emit(len(self._text))

    def _flush(self) -> None:
        """Report whole lines; a line that is not ended yet waits unless it is very long."""
        self._timer = None
        self._begin()
        end = self._text.rfind("\n") + 1
        self._emit(end if end or len(self._text) < PIECE_CHARS else len(self._text))

    @property
    def seconds(self) -> float:
        """Since the attempt started."""
        return time.monotonic() - self._begun

    def _begin(self) -> None:
        if not self._told:
            self._told = True
            self._report(Started(self._key, ago=self.seconds))

    def _emit(self, end: int) -> None:
        for start in range(0, end, PIECE_CHARS):
            # NUL cannot be stored as text.
            piece = self._text[start : min(start + PIECE_CHARS, end)].replace("\0", "�")
            self._report(Output(self._key, self._pieces, piece))
            self._pieces += 1
        self._text = self._text[end:]
