"""Small disks that can be filled: one tmpfs for each part whose disk may be full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory


@cache
def allowed() -> bool:
    """Whether this machine lets us mount one."""
    with TemporaryDirectory() as folder:
        if not _mount(Path(folder), 1):
            return False
        _unmount(Path(folder))
        return True


def mount(folder: Path, megabytes: int) -> bool:
    """Put a disk of its own under `folder`; False where that is not allowed: it is an ordinary folder then."""
    folder.mkdir(parents=True, exist_ok=True)
    return allowed() and _mount(folder, megabytes)


def _mount(folder: Path, megabytes: int) -> bool:
    argv = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "tmpfs", str(folder)]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def unmount(folder: Path) -> None:
    """Take the disk away, with all that is on it."""
    if folder.is_mount():
        _unmount(folder)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Nothing more can be written to the disk that `folder` is on."""
    ballast = folder / "ballast"
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (1 << 20, 1 << 12, 1):
            _write_until_full(file, b"x" * size)
        yield
    finally:
        os.close(file)
        ballast.unlink()


def _write_until_full(file: int, piece: bytes) -> None:
    try:
        while True:
            os.write(file, piece)
    except OSError:
        return
