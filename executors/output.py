"""Keeps the beginning and the end of an output that may be endless."""


class HeadTail:
    """Passes on the first three quarters of `limit` bytes at once and keeps the last quarter for `finish`.

    Holds at most a quarter of `limit` plus one chunk, however much is fed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tail_limit = limit // 4
        self._head_left = limit - self._tail_limit
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, chunk: bytes) -> bytes:
        """Take the next output; return the part of it (maybe empty) that may be passed on now."""
        if len(chunk) <= self._head_left:
            self._head_left -= len(chunk)
            return chunk
        head = chunk[: self._head_left]
        self._keep(chunk[self._head_left :])
        self._head_left = 0
        return head

    def shorten(self, limit: int) -> bool:
        """Keep no more than a smaller `limit` from now on; what has been passed on stays so. False if it is no less."""
        if limit >= self._limit:
            return False
        passed = self._limit - self._tail_limit - self._head_left
        self._limit, self._tail_limit = limit, limit // 4
        self._head_left = max(0, limit - self._tail_limit - passed)
        self._keep(b"")
        return True

    def finish(self) -> bytes:
        """What is to follow the head: a line that says how much was dropped, if any was, and the tail."""
        marker = f"\n[… {self._dropped:,} bytes of output dropped …]\n".encode() if self._dropped else b""
        tail = marker + self._tail
        self._tail.clear()
        self._dropped = 0
        return tail

    def _keep(self, rest: bytes) -> None:
        excess = len(self._tail) + len(rest) - self._tail_limit
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]  # Cheap at the front of a bytearray, and no harm if it is shorter.
            rest = rest[max(0, len(rest) - self._tail_limit) :]
        self._tail += rest
