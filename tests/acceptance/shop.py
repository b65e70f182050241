"""Somebody else's Celery project: `celery -A tests.acceptance.shop worker` notes what it is told to do."""

import os
from pathlib import Path

from celery import Celery, Task

app = Celery("shop", broker=os.environ.get("SHOP_BROKER", "memory://"))
app.conf.task_ignore_result = True


@app.task(name="shop.tick", bind=True)
def tick(self: Task, row: str) -> None:
    with Path(os.environ["SHOP_LEDGER"]).open("a") as ledger:
        ledger.write(f"{row} {self.request.id}\n")
