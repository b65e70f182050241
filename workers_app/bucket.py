"""A token bucket: so much at once, and so much a second."""

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Full at first. Who takes more than fit leaves it in debt, and the next ones wait for that."""

    tokens: float = math.inf
    at: float = 0.0

    def wait(self, wanted: float, rate: float, burst: float, now: float) -> float:
        """Seconds until `wanted` tokens may be taken, 0 for at once; `rate` come a second, `burst` fit."""
        self.tokens = min(burst, self.tokens + (now - self.at) * rate)
        self.at = now
        return max(0.0, (min(wanted, burst) - self.tokens) / rate)
