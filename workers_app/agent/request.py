"""An attempt as Celery sees it, so that `celery inspect active` and Flower show what really runs."""

import os
import time
from collections.abc import Callable
from typing import Any

from celery.worker import state

from workers_app.messaging.protocol import Assignment


class AttemptRequest:
    """One Celery task per attempt, under the task's own name. Shows no command, no parameter, no secret."""

    def __init__(self, assignment: Assignment, hostname: str, eventer: Any, cancel: Callable[[], None]) -> None:
        self.id = f"{assignment.key.run}.{assignment.key.attempt}"
        self.name = assignment.task
        self.task_id, self.task_name = self.id, self.name
        self._hostname = hostname
        self._eventer = eventer
        self._cancel = cancel
        self._started = time.time()

    def begin(self) -> None:
        """Tell Celery that it runs."""
        state.task_reserved(self)
        state.task_accepted(self)
        self._send("task-received", name=self.name, args="()", kwargs="{}", retries=0)
        self._send("task-started")

    def end(self, error: str) -> None:
        """Tell Celery that it has ended, well unless there is an `error`."""
        state.task_ready(self, successful=not error)
        if error:
            self._send("task-failed", exception=error, traceback="")
        else:
            self._send("task-succeeded", result="", runtime=time.time() - self._started)

    def _send(self, kind: str, **fields: Any) -> None:
        if self._eventer and self._eventer.enabled:
            self._eventer.send(kind, uuid=self.id, **fields)

    def info(self, safe: bool = False) -> dict[str, Any]:
        """What `celery inspect active` prints."""
        return {
            "id": self.id,
            "name": self.name,
            "args": [],
            "kwargs": {},
            "type": self.name,
            "hostname": self._hostname,
            "time_start": self._started,
            "acknowledged": True,
            "delivery_info": {},
            "worker_pid": os.getpid(),
        }

    def terminate(self, pool: Any, signal: Any = None) -> None:
        """`celery control terminate`: the attempt is cancelled."""
        self._cancel()

    cancel = terminate

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AttemptRequest) and other.id == self.id
