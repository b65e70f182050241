"""What the worker tells its helper process."""

import marshal
import sys

from executors.keeper.connection import packed


def test_a_message_makes_nobody_remember_its_names():
    """Names that are interned here would be there, too, and its table of them would grow in steps."""
    name = sys.intern("A_NAME_THAT_NOBODY_ELSE_HAS")
    message = ("spawn", 7, ["/bin/sh", "-c", "écho 'x'"], {name: "1"}, None, "", 5.5)
    read = marshal.loads(packed(message))
    assert read == message
    assert next(iter(read[3])) is not name
