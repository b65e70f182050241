"""The steps of a flow: which task each is, what it waits for, and what it takes from where. Pure, and never changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec

from tasks_app.flow.rules import Rule


class Parent(msgspec.Struct, frozen=True, array_like=True, order=True):
    """What a step waits for."""

    step: int
    when: str = ""
    """A condition on how the parent ended; empty: that it succeeded, or what the rule asks for."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task in a flow."""

    task: int
    name: str
    rule: Rule = Rule.ALL_SUCCESS
    parents: tuple[Parent, ...] = ()
    inputs: dict[str, str] = {}
    """Parameters it gets, each as an expression on its parents' results."""


class Plan(msgspec.Struct, frozen=True, dict=True):
    """Steps in an order in which parents come first; the first step has none."""

    steps: tuple[Step, ...]

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Of each step."""
        found: list[list[int]] = [[] for _ in self.steps]
        for number, step in enumerate(self.steps):
            for parent in {each.step for each in step.parents}:
                found[parent].append(number)
        return tuple(map(tuple, found))

    def below(self, starts: Iterable[int]) -> set[int]:
        """`starts`, and all that depends on them."""
        found: set[int] = set()
        waiting = list(starts)
        while waiting:
            step = waiting.pop()
            if step not in found:
                found.add(step)
                waiting += self.children[step]
        return found

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)

    @property
    def digest(self) -> str:
        """Plans with the same are the same."""
        return hashlib.sha256(self.encoded()).hexdigest()[:40]


def decoded(text: str | bytes) -> Plan:
    return msgspec.json.decode(text, type=Plan)


def ordered(parents: Mapping[int, Iterable[int]]) -> list[int]:
    """The keys of `parents` so that each comes after its parents, as far as those are keys; raises `Cycle`."""
    waiting = {key: {each for each in those if each in parents} for key, those in parents.items()}
    found: list[int] = []
    while waiting:
        free = [key for key, those in waiting.items() if not those]
        if not free:
            raise Cycle(_cycle(waiting))
        found += free
        for key in free:
            del waiting[key]
        for those in waiting.values():
            those.difference_update(free)
    return found


class Cycle(ValueError):
    """Things that depend on each other."""

    def __init__(self, members: list[int]) -> None:
        super().__init__(members)
        self.members = members
        """Each depends on the one before it, and the first on the last."""


def _cycle(waiting: Mapping[int, set[int]]) -> list[int]:
    """Some way round, where every key waits for another."""
    path: list[int] = []
    key = min(waiting)
    while key not in path:
        path.append(key)
        key = min(waiting[key])
    return path[path.index(key) :][::-1]
