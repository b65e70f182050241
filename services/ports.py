"""Loopback ports for servers that keep them over restarts."""

import secrets
import socket
from pathlib import Path

HOST = "127.0.0.1"
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 15000


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on.

    They lie below those the kernel gives to outgoing connections: one of these could take the port while the server
    is down.
    """
    limit = max(int(RANGE.read_text().split()[0]), LOWEST + 1000)
    found: set[int] = set()
    while len(found) < count:
        port = LOWEST + secrets.randbelow(limit - LOWEST)
        if is_free(port):
            found.add(port)
    return list(found)


def is_free(port: int) -> bool:
    """True if a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def ask(port: int, question: bytes, to_the_end: bool = False) -> bytes:
    """What a server answers first, or until it hangs up; empty if it does not within a second."""
    answer = b""
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.sendall(question)
            while part := connection.recv(4096):
                answer += part
                if not to_the_end:
                    break
    except OSError:
        return b""
    return answer
