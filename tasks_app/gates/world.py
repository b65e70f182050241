"""What gates look at, beside the run and its task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tasks_app.models import Pool


@dataclass
class World:
    """As one pass of a dispatcher, or one question, finds it."""

    shut: frozenset[str] = frozenset()
    """Targets of the circuits that nothing may pass."""
    due: frozenset[str] = frozenset()
    """Targets of the circuits that one run may pass."""

    @cached_property
    def _pools(self) -> dict[tuple[int | None, str], Pool]:
        return {(pool.namespace_id, pool.name): pool for pool in Pool.objects.all()}

    def pool(self, namespace: int | None, name: str) -> Pool | None:
        """The namespace's own, or else the one for all."""
        return self._pools.get((namespace, name)) or self._pools.get((None, name))
