"""`python -m scheduler_project.dispatcher`: like `celery -A scheduler_project beat`, in 20 MB less.

Celery's command line loads a shell and Flower, and Django's settings load the admin and the REST API: a dispatcher
needs none of it.
"""

import os

if __name__ == "__main__":
    if os.environ.get("DJANGO_SETTINGS_MODULE", "scheduler_project.settings") == "scheduler_project.settings":
        os.environ["DJANGO_SETTINGS_MODULE"] = "scheduler_project.settings_dispatcher"
    from scheduler_project.celery import app  # only now: loading it applies the settings

    app.Beat(loglevel=os.environ.get("LOG_LEVEL", "INFO")).run()
