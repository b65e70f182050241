"""Whose process is whose: the process trees of all attempts, and their ending."""

from __future__ import annotations

import os
import signal
import time
from itertools import chain

from executors.keeper import process
from executors.keeper.process import Process

GIVE_UP_SECONDS = 10.0
"""After that long of SIGKILLs the rest is reported as survivors."""
DEFAULT_GRACE = 5.0
SWEEP_SECONDS = 0.1
"""From the end of a root process to the look for what it left behind; one look serves all that ended meanwhile."""
_FIRST_PAUSE, _LAST_PAUSE = 0.005, 0.1
_IDLE_FACTOR = 20
"""Looks for leftovers may take a twentieth of one core, however many processes there are."""
_ME = os.getpid()
_TICKS = os.sysconf("SC_CLK_TCK")


class Attempt:
    """One command that was started, with all it started itself."""

    __slots__ = ("born", "grace", "id", "marker", "output", "pid")

    def __init__(self, id: int, pid: int, output: int, grace: float, marker: tuple[bytes, bytes]) -> None:
        self.id = id
        self.pid = pid
        self.output = output
        """Inode of its output pipe."""
        self.grace = grace
        self.marker = marker
        """Its run id and attempt number, as they stand in the environment."""
        self.born = int(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS)


class Ending:
    """The ending of one tree: SIGTERM once to every process, from `kill_at` on SIGKILL."""

    def __init__(self, kill_at: float, asked: bool) -> None:
        self.kill_at = kill_at
        self.asked = asked
        """Whether the worker waits for the answer."""
        self.seemed_gone = False
        """One look at /proc can miss a process whose parent forked it and ended meanwhile; two in a row will not."""
        self._warned: set[tuple[int, int]] = set()

    def signal(self, members: list[Process], now: float) -> None:
        self.seemed_gone = not members
        for member in members:
            if now >= self.kill_at:
                process.send(member, signal.SIGKILL)
            elif member.identity not in self._warned:
                self._warned.add(member.identity)
                process.send(member, signal.SIGTERM, signal.SIGCONT)  # A stopped one could not obey.

    def hopeless(self, now: float) -> bool:
        return now >= self.kill_at + GIVE_UP_SECONDS


class Forest:
    """The trees of all attempts. Every `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self.live: dict[int, Attempt] = {}
        """By the pid of the root process, which has not ended."""
        self.due: float | None = None
        """When `look` is to be called next."""
        self._by_id: dict[int, Attempt] = {}
        self._ended: dict[int, Attempt] = {}
        """Roots that ended since the last look; they may have left something behind."""
        self._endings: dict[Attempt, Ending] = {}
        self._owners: dict[tuple[int, int], Attempt] = {}
        """Whose the processes seen in the last look are: it stays so when they are orphaned."""
        self._sessions: dict[int, Attempt] = {}
        self._pause = _FIRST_PAUSE
        self._rest_until = self._breathe_until = 0.0

    def plant(self, attempt: Attempt) -> None:
        """A root was started."""
        self.live[attempt.pid] = attempt
        self._by_id[attempt.id] = attempt
        self._ended.pop(attempt.pid, None)  # The pid is used again, so nobody is left in that session.

    def fell(self, pid: int, now: float) -> Attempt | None:
        """A child was reaped; return its attempt if it was a root."""
        attempt = self.live.pop(pid, None)
        if attempt:
            del self._by_id[attempt.id]
            self._ended[pid] = attempt
        if self._endings and (attempt is None or attempt in self._endings):
            self._hurry(now)
        elif attempt:
            self._look_by(max(now + SWEEP_SECONDS, self._rest_until))
        return attempt

    def end(self, id: int, grace: float, now: float) -> bool:
        """End an attempt's tree; a later `look` says when it is done. False: there is nothing of it."""
        attempt = self._by_id.get(id)
        attempt = attempt or next((a for a in chain(self._ended.values(), self._endings) if a.id == id), None)
        if attempt is None:
            return False
        ending = self._endings.setdefault(attempt, Ending(now + grace, asked=True))
        ending.kill_at = min(ending.kill_at, now + grace)
        ending.asked = True
        self._hurry(now)
        return True

    def look(self, now: float) -> list[tuple[int, list[int]]]:
        """Signal what must end; return which of the asked-for attempts are gone, and the pids that would not go."""
        begun = time.monotonic()
        groups = self._groups(process.everything()) if self._endings or self._left_behind() else {}
        self._ended.clear()
        for attempt in groups:
            if self.live.get(attempt.pid) is not attempt and attempt not in self._endings:
                self._endings[attempt] = Ending(now + attempt.grace, asked=False)
        gone = self._signal(groups, now)
        self._plan(now, cost=time.monotonic() - begun)
        return gone

    def raze(self) -> None:
        """SIGKILL everything below this process, once."""
        children = process.by_parent(process.everything())
        doomed = children.get(_ME, [])
        for member in doomed:
            process.send(member, signal.SIGKILL)
            doomed += children.get(member.pid, ())

    def _left_behind(self) -> bool:
        return any(p.parent == _ME and not p.dead for p in process.everything(but=self.live))

    def _groups(self, processes: list[Process]) -> dict[Attempt, list[Process]]:
        """Every attempt's processes; also what was left behind by attempts that are forgotten."""
        children = process.by_parent(processes)
        owners: dict[tuple[int, int], Attempt] = {}
        groups: dict[Attempt, list[Process]] = {}
        pending = [(top, self._owner(top)) for top in children.get(_ME, ())]
        while pending:
            member, owner = pending.pop()
            pending += [(child, self._owners.get(child.identity, owner)) for child in children.get(member.pid, ())]
            if owner:
                owners[member.identity] = owner
                groups.setdefault(owner, []).append(member)
        self._owners = owners
        self._sessions = {member.session: owner for owner, members in groups.items() for member in members}
        return groups

    def _owner(self, top: Process) -> Attempt | None:
        """Whose a child of this process is; None as long as it may be a living attempt's that cannot be told."""
        return (
            self.live.get(top.pid)
            or self._owners.get(top.identity)
            or self.live.get(top.session)
            or self._ended.get(top.session)
            or self._sessions.get(top.session)
            or self._owner_by_traces(top)
        )

    def _owner_by_traces(self, orphan: Process) -> Attempt | None:
        variables = process.environment(orphan.pid)
        marker = variables.get(b"SCHEDULER_RUN_ID", b""), variables.get(b"SCHEDULER_ATTEMPT", b"")
        pipes = process.output_pipes(orphan.pid)
        for attempt in chain(self.live.values(), self._ended.values(), self._endings):
            if attempt.marker == marker or attempt.output in pipes:
                return attempt
        # A living attempt that is older may have begun it and wiped all traces. Its end will decide.
        if marker[0] or all(attempt.born > orphan.born for attempt in self.live.values()):
            return Attempt(0, orphan.pid, 0, DEFAULT_GRACE, marker)
        return None

    def _signal(self, groups: dict[Attempt, list[Process]], now: float) -> list[tuple[int, list[int]]]:
        gone = []
        for attempt, ending in list(self._endings.items()):
            members = groups.get(attempt, [])
            if not ending.hopeless(now) and (members or not ending.seemed_gone):
                ending.signal(members, now)
                continue
            del self._endings[attempt]
            if ending.asked:
                gone.append((attempt.id, [member.pid for member in members]))
        return gone

    def _plan(self, now: float, cost: float) -> None:
        self.due = None
        self._rest_until = now + cost * _IDLE_FACTOR
        self._breathe_until = now + cost * 2
        if self._endings:
            self._pause = min(self._pause * 2, _LAST_PAUSE)
            kills = [ending.kill_at for ending in self._endings.values() if ending.kill_at > now]
            self._look_by(max(min([now + self._pause, *kills]), self._breathe_until))

    def _hurry(self, now: float) -> None:
        self._pause = _FIRST_PAUSE
        self._look_by(max(now, self._breathe_until))

    def _look_by(self, when: float) -> None:
        self.due = when if self.due is None else min(self.due, when)
