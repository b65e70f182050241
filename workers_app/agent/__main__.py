"""`python -m workers_app.agent`: the worker without Celery's command line, which loads 15 MB that no worker needs.

`celery -A workers_app.agent worker` starts the same worker.
"""

import os
import sys

from workers_app.agent.app import app

if __name__ == "__main__":
    worker = app.Worker(loglevel=os.environ.get("LOG_LEVEL", "INFO"))
    worker.start()
    sys.exit(worker.exitcode)
