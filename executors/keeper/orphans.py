"""Ends what a killed keeper left behind: its commands fell to this process, which is a subreaper."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from executors.keeper import process
from executors.keeper.process import Process

MARK = "SCHEDULER_KEEPER"
"""The variable by which a worker knows the commands of its keeper."""
_PASSES = 500
_PAUSE = 0.01


async def end_all(mark: str, pipes: set[int]) -> None:
    """SIGKILL and reap all orphaned commands, known by `mark` in their environment or by their output pipes."""
    known: set[tuple[int, int]] = set()
    for _ in range(_PASSES):
        doomed = _find(mark, pipes, known)
        if not doomed:
            return
        for member in doomed:
            known.add(member.identity)
            process.send(member, signal.SIGKILL)
            _reap(member.pid)
        await asyncio.sleep(_PAUSE)


def _find(mark: str, pipes: set[int], known: set[tuple[int, int]]) -> list[Process]:
    me = os.getpid()
    everything = process.everything()
    children = process.by_parent(everything)
    found = [child for child in children.get(me, ()) if child.identity in known or _is_ours(child.pid, mark, pipes)]
    for member in found:
        found += children.get(member.pid, ())
    # A session leader without a life left: a command that ended between its keeper's end and ours.
    return found + [p for p in everything if p.dead and p.parent == me and (p.identity in known or p.session == p.pid)]


def _is_ours(pid: int, mark: str, pipes: set[int]) -> bool:
    marked = process.environment(pid).get(MARK.encode()) == mark.encode()
    return marked or bool(pipes & process.output_pipes(pid))


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
