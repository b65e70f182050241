"""`python -m services start|stop|status|run [-- command …]`: the servers in `SERVICES_DIR` (var/services)."""

import signal
import sys
from types import FrameType

from services.fleet import Fleet
from services.follow import environment_with, follow
from services.known import FILE, default_folder


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def start(fleet: Fleet) -> int:
    """Bring all, and leave them running."""
    with fleet.lock():
        broken = fleet.start()
        fleet.visitors = set()
    show(fleet)
    return 1 if broken else 0


def stop(fleet: Fleet) -> int:
    with fleet.lock():
        fleet.stop(fleet.servers)
        fleet.visitors = set()
    return 0


def status(fleet: Fleet) -> int:
    """Show them; 1 if one does not run."""
    show(fleet)
    return 0 if all(server.running for server in fleet.servers.values()) else 1


def run(fleet: Fleet, command: list[str]) -> int:
    """Run a command while all servers run; those that were not there before are gone after it."""
    with fleet.visit():
        show(fleet)
        code = follow(command, environment_with(SERVICES_DIR=str(fleet.folder)))
        fleet.tell = lambda text: None  # the command has had the last word
        return code


def show(fleet: Fleet) -> None:
    """A small table without passwords."""
    missing = fleet.missing
    for kind, server in fleet.servers.items():
        if server.running:
            text = server.url.replace(server.memory["password"], "***")
        else:
            text = f"missing: {missing[kind]}" if kind in missing else "not running"
        say(f"{server.title:<12}{text}")
    say(f"{'':<12}(with passwords: {fleet.folder / FILE})")


def interrupt(number: int, frame: FrameType | None) -> None:
    """A polite end while servers are starting is as good as Ctrl-C."""
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Returns the exit code; 2 if the arguments make no sense."""
    action, command = arguments[:1], arguments[1:]
    command = command[1:] if command[:1] == ["--"] else command
    if action not in (["run"], *([each] for each in ACTIONS)) or bool(command) != (action == ["run"]):
        say(str(__doc__))
        return 2
    signal.signal(signal.SIGTERM, interrupt)
    fleet = Fleet(default_folder(), say)
    try:
        return run(fleet, command) if command else ACTIONS[action[0]](fleet)
    except KeyboardInterrupt:
        return 130


ACTIONS = {"start": start, "stop": stop, "status": status}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
