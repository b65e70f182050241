"""The command of a run: `python -I -S ledger.py FILE SECONDS`. It writes to the ledger that it begins and that it ends.

Each line is one `write` to a file opened with O_APPEND, and synced: what is in the ledger has happened.
"""

import json
import os
import sys
import time
from datetime import datetime


def main() -> None:
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    given = {
        "run": os.environ["SCHEDULER_RUN_ID"],
        "attempt": int(os.environ["SCHEDULER_ATTEMPT"]),
        "pid": os.getpid(),
    }
    nominal = datetime.fromisoformat(os.environ["SCHEDULER_SCHEDULED_FOR"]).timestamp()
    task, worker = os.environ["SCHEDULER_TASK"], os.environ["SCHEDULER_WORKER"]
    _write(file, type="start", task=task, nominal=nominal, worker=worker, parent=os.getppid(), **given)
    time.sleep(float(sys.argv[2]))
    _write(file, type="end", **given)


def _write(file: int, **values: object) -> None:
    line = json.dumps(values | {"at": time.monotonic()}) + "\n"
    os.write(file, line.encode())
    os.fsync(file)


main()
