"""The worker's own settings, from its environment."""

import socket

from workers_app import environment

NAME = environment.text("WORKER_NAME", socket.gethostname())
LABELS = environment.labels("WORKER_LABELS")
NAMESPACES = environment.words("WORKER_NAMESPACES")
MAX_TASKS = int(environment.number("WORKER_MAX_TASKS", 100, 1, 100_000))
GRACE_SECONDS = environment.number("WORKER_GRACE_SECONDS", 25, 0, 86_400)
"""When told to stop, runs may go on for so long; then they are ended and handed back."""
OUTPUT_BYTES = environment.number("WORKER_OUTPUT_BYTES", 4 * 1024 * 1024, 1024, 1e12)
"""So many bytes of output a second may all runs together report in the long run; beyond it the talkative are cut."""
