"""What a command says is its result: small JSON, in a file of its own, or as the last line of its output."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from typing import Any

import msgspec

from executors.base import RESULT_BYTES, Context


class Results:
    """A folder, for no one else to read, in which each attempt may leave a file."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="scheduler-results-")

    def close(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def of(self, context: Context) -> Said:
        """Of one attempt; used in a `with`, after which its file is gone."""
        return Said(f"{self._folder}/{context.run_id}.{context.attempt}", context.log)


class Said:
    """What one attempt says, while its output passes by."""

    def __init__(self, path: str, log: Callable[[bytes], None]) -> None:
        self.path = path
        """Where the command may write its result; there is nothing yet."""
        self._log = log
        self._end = b""
        self._may_be_left = True

    def __enter__(self) -> Said:
        return self

    def __exit__(self, *error: object) -> None:
        if self._may_be_left:
            with contextlib.suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108 - pathlib takes memory

    def write(self, chunk: bytes) -> None:
        """Pass output on, and keep its end."""
        self._log(chunk)
        self._end = (self._end + chunk[-RESULT_BYTES - 1 :])[-RESULT_BYTES - 1 :]

    def result(self) -> Any:
        """What is in the file, or, where there is none, what the last line of output is as JSON, or None."""
        try:
            written = _contents(self.path)
        except OSError as error:
            return {"dropped": f"SCHEDULER_RESULT_FILE cannot be read: {error.strerror}."}
        if written is None:
            self._may_be_left = False
            return self._last_line()
        if len(written) > RESULT_BYTES:
            return {"dropped": f"SCHEDULER_RESULT_FILE has more than {RESULT_BYTES:,} bytes."}
        try:
            return msgspec.json.decode(written)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return {"dropped": "SCHEDULER_RESULT_FILE is not JSON."}

    def _last_line(self) -> Any:
        before, _, line = self._end.rstrip().rpartition(b"\n")
        if not line or (not before and len(self._end) > RESULT_BYTES):
            return None
        try:
            return msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None


def _contents(path: str) -> bytes | None:
    """Of a plain file, not much more than may be kept; None if there is none. Raises `OSError`."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(0, "it is no plain file")
        parts, left = [], RESULT_BYTES + 1
        while left > 0 and (part := os.read(file, left)):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)
    finally:
        os.close(file)
