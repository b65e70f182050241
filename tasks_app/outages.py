"""What an error of the database says: that it cannot serve at the moment, or something of our program or the data."""

import sqlite3

from django.db import InterfaceError, InternalError, OperationalError

AWAY = "The database cannot be reached at the moment."
BUSY = "The database was held up by other changes for too long."
DISK = "The database cannot read or write its disk."
FULL = "The database's disk is full."
READ_ONLY = "The database takes no changes at the moment: it is read-only."

_STATES = {
    "25006": READ_ONLY,
    "25P03": "The change took too long, and the database has taken it back.",
    "40001": "The change met another one made at the same moment, and the database has taken it back.",
    "40P01": "The change and another one waited for each other, and the database has taken this one back.",
    "53100": FULL,
    "53200": "The database has no memory left.",
    "53300": "The database has no connection left.",
    "55P03": BUSY,
    "57014": "The database took too long to answer.",
}
"""By SQLSTATE, PostgreSQL's code of an error; the first two characters are its class."""
_CLASSES = {"08": AWAY, "28": AWAY, "53": "The database has too few resources.", "57": AWAY, "58": DISK}
_SQLITE = {
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: DISK,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_CANTOPEN: AWAY,
}


def explain(error: BaseException | None) -> str | None:
    """One sentence for whoever asked, if the database cannot serve at the moment; None for every other error."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return None
    cause = error.__cause__
    if isinstance(cause, sqlite3.Error):
        # SQLite reports mistakes in a statement as operational errors, too. The low byte is the kind of error.
        return _SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    state = getattr(cause, "sqlstate", None)
    if state is None:
        # Nobody answered who could have given a code.
        return None if isinstance(error, InternalError) else AWAY
    return _STATES.get(state) or _CLASSES.get(state[:2])
