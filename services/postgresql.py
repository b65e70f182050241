"""PostgreSQL: a cluster of its own with one role and one database."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from services.base import Server, ServerError, which
from services.ports import HOST, ask
from services.process import User, wait_for

PROGRAMS = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs, by version."""
ROOMY = Path("/var/tmp")  # noqa: S108 - only for directories with a name of their own; on a disk, so fsync is real
NAME = "scheduler"
"""The role and the database."""
ORPHANS_SECONDS = 5.0
SETTINGS = {
    "listen_addresses": HOST,
    # A path to a socket may not be longer than 107 bytes; folders of tests are.
    "unix_socket_directories": "",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    # Benchmarks shall tell the truth: a commit is on the disk.
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgreSQL(Server):
    """PostgreSQL refuses to be root. So root's server runs as `postgres` or `nobody`, with its data in /var/tmp, as
    root's own folders are often closed to others."""

    kind: ClassVar[str] = "postgresql"
    title: ClassVar[str] = "PostgreSQL"
    package: ClassVar[str] = "postgresql"
    port_names: ClassVar[tuple[str, ...]] = ("port",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # without waiting for clients

    @classmethod
    def program(cls) -> Path | None:
        """The newest `postgres` that has its `initdb` beside it."""
        found = [each for each in PROGRAMS.glob("[0-9]*/bin/postgres") if each.with_name("initdb").exists()]
        if found:
            return max(found, key=lambda each: int(each.parts[-3].partition(".")[0]))
        program = which("postgres")
        return program if program and program.resolve().with_name("initdb").exists() else None

    @property
    def url(self) -> str:
        memory = self.memory
        return f"postgres://{NAME}:{memory['password']}@{HOST}:{memory['port']}/{NAME}"

    @property
    def tls_url(self) -> str:
        return f"{self.url}?sslmode=verify-full&sslrootcert={quote(str(self.certificates.ca))}"

    @property
    def user(self) -> User | None:
        if os.geteuid() != 0:
            return None
        accounts = {entry.pw_name: User(entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
        return accounts.get("postgres", accounts.get("nobody"))

    @property
    def home(self) -> Path:
        """The directory that has the data and nothing else."""
        return Path(self.memory.get("home", self.folder / "data"))

    @property
    def data(self) -> Path:
        return self.home / "cluster"

    def prepare(self) -> None:
        if not (self.memory.get("complete") and (self.data / "PG_VERSION").exists()):
            self._create()
        for source in (self.certificates.server, self.certificates.server_key):
            self._give(self.data / source.name, source.read_text())
        settings = SETTINGS | {"port": str(self.memory["port"])} | self.settings
        self._give(self.data / "postgresql.conf", "".join(f"{name} = '{text}'\n" for name, text in settings.items()))

    def command(self) -> list[str]:
        return [str(self.program()), "-D", str(self.data)]

    def answers(self) -> bool:
        text = b"user\x00%b\x00database\x00%b\x00\x00" % (NAME.encode(), NAME.encode())
        hello = (len(text) + 8).to_bytes(4) + (3 << 16).to_bytes(4) + text
        # It asks for the password, or says in an error that it is still starting.
        return ask(self.memory["port"], hello).startswith(b"R")

    def delete_data(self) -> None:
        if not self.remembers:
            return
        if (self.data / "postmaster.pid").exists():
            # Children of a process that others killed need a moment to notice it; until then it cannot start.
            wait_for(self._removes_shared_memory, ORPHANS_SECONDS)
        shutil.rmtree(self.home, ignore_errors=True)
        self.remember(complete=False)

    def _removes_shared_memory(self) -> bool:
        """After a crash the next start does it; a short one without clients is enough."""
        try:
            self._run([str(self.program()), "--single", "-D", str(self.data), "postgres"])
        except ServerError:
            return False
        return True

    def _create(self) -> None:
        """Make a cluster with the role and the database; one that is not complete is made anew, so it needs no sync."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.remember(complete=False, home=str(self._new_home()))
        self.data.mkdir(mode=0o700)
        if self.user is not None:
            os.chown(self.data, *self.user)
        password = self.home / "password"
        self._give(password, self.memory["password"])
        program, data = self.program(), str(self.data)
        initdb = [str(program and program.resolve().with_name("initdb")), "-D", data, "--username", NAME]
        initdb += ["--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"]
        self._run([*initdb, "--no-sync", "--no-instructions"])
        password.unlink()
        self._run([str(program), "--single", "-D", data, "postgres"], f"CREATE DATABASE {NAME}\n")
        self.remember(complete=True)

    def _new_home(self) -> Path:
        if self.user is None:
            home = self.folder / "data"
            home.mkdir(mode=0o700)
            return home
        home = Path(tempfile.mkdtemp(prefix="scheduler-postgresql-", dir=ROOMY))
        home.chmod(0o711)
        return home

    def _give(self, path: Path, text: str) -> None:
        """Write a file that the server's user owns and nobody else reads."""
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            if self.user is not None:
                os.fchown(file.fileno(), *self.user)
            file.write(text)

    def _run(self, argv: list[str], text: str = "") -> None:
        """Run one of its programs to the end, as its user; raises ServerError."""
        with self.log.open("ab") as log:
            done = subprocess.run(  # noqa: S603 - the server's own programs
                argv,
                env=self.environment,
                cwd=self.home,
                input=text.encode(),
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=self.start_seconds,
                check=False,
                user=self.user and self.user.uid,
                group=self.user and self.user.gid,
                extra_groups=None if self.user is None else [],
            )
        if done.returncode:
            raise ServerError(f"{Path(argv[0]).name} ended with code {done.returncode}.{self.last_words()}")
