"""Measures the scheduler on this machine, beside the machine's own floor and what one would build today.

`make bench`, or `make bench ARGS="--quick"`; `ARGS=--help` lists the options.
"""
