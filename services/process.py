"""Processes that outlive the Python that started them: told apart by pid and birth, ended only when they are ours."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
STATE, PARENT, THREADS, BEGAN = 0, 1, 17, 19
"""Places in what `_stat` returns."""
_children: "dict[int, subprocess.Popen[bytes]]" = {}
"""Those this very Python started: it has to collect them when they have ended."""


class User(NamedTuple):
    """Whom a program runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Process:
    """A process id together with what makes it one certain process: a pid alone is used again."""

    pid: int
    birth: str

    @property
    def alive(self) -> bool:
        """True while this very process runs (a zombie does not)."""
        if child := _children.get(self.pid):
            child.poll()
        # What had ended before anybody looked has no birth, and neither has what is looked for later under its pid.
        return bool(self.birth) and birth(self.pid) == self.birth

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when the process has ended, even if its pid lives on."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; False if it has not."""
        return wait_for(lambda: not self.alive, seconds)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


def saved(path: Path) -> Process | None:
    """The process that was saved in a file, None if there is none; it may have ended since."""
    try:
        return Process(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def start(argv: list[str], environment: dict[str, str], folder: Path, log: Path, user: User | None = None) -> Process:
    """Start a program in a session of its own, so that no Ctrl-C reaches it; its output goes to the end of `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - the servers' own programs
            argv,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user and user.uid,
            group=user and user.gid,
            extra_groups=None if user is None else [],
        )
    _children[child.pid] = child
    return Process(child.pid, birth(child.pid))


def birth(pid: int) -> str:
    """This boot's name and the clock tick in which the process began; empty when there is no such process."""
    fields = _stat(pid)
    # A zombie still has its ports while other threads of it are ending.
    if not fields or (fields[STATE] in "ZX" and int(fields[THREADS]) < 2):
        return ""
    return f"{(PROC / 'sys/kernel/random/boot_id').read_text().strip()}/{fields[BEGAN]}"


def kill_tree(root: Process, seconds: float = 10.0) -> None:
    """SIGKILL a process and all below it as if at one moment.

    Not by process group: PostgreSQL's and Erlang's children make groups of their own. All are stopped first, so none
    can start another one or see its parent die and tidy up.
    """
    frozen: set[Process] = set()
    while fresh := _tree(root) - frozen:
        for each in fresh:
            each.signal(signal.SIGSTOP)
        frozen |= fresh
    for each in frozen:
        each.signal(signal.SIGKILL)
    deadline = time.monotonic() + seconds
    for each in frozen:
        each.wait(max(deadline - time.monotonic(), 0.0))


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """True as soon as `condition()` holds, False if it does not within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.01)
    return True


def _tree(root: Process) -> set[Process]:
    if not root.alive:
        return set()
    parents = {int(each.name): fields for each in PROC.glob("[0-9]*") if (fields := _stat(int(each.name)))}
    found, edge = {root.pid}, {root.pid}
    while edge:
        edge = {pid for pid, fields in parents.items() if int(fields[PARENT]) in edge} - found
        found |= edge
    return {Process(pid, born) for pid in found if (born := birth(pid))}


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; the name before it may contain anything."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
