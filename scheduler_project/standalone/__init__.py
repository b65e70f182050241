"""Everything on one machine under one command: `manage.py standalone`, or `make run`."""
