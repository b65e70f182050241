"""RabbitMQ: one node of its own, alone on the loopback interface."""

import hashlib
import shutil
from pathlib import Path
from typing import ClassVar

from services.base import Server, which, write_private
from services.ports import HOST, ask

SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Debian's own start script; the one in the PATH wants to become the user `rabbitmq`."""
USER = "scheduler"
SETTINGS = """\
listeners.tcp.1 = {host}:{port}
listeners.ssl.1 = {host}:{tls_port}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {server}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
default_vhost = /
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
disk_free_limit.absolute = 50MB
log.file = false
log.console = true
log.console.level = info
"""
# Two schedulers are enough for tests, and ones that wait must not spin.
ERLANG = "-noinput +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
# The node knows its own port, so it needs no epmd: a daemon that all nodes of a machine share and that outlives them.
DISTRIBUTION = (
    "-sname {node} -start_epmd false -erl_epmd_port {node_port} -kernel inet_dist_use_interface {{127,0,0,1}}"
)


class RabbitMQ(Server):
    kind: ClassVar[str] = "rabbitmq"
    title: ClassVar[str] = "RabbitMQ"
    package: ClassVar[str] = "rabbitmq-server"
    port_names: ClassVar[tuple[str, ...]] = ("port", "tls_port", "node_port", "epmd_port")
    start_seconds: ClassVar[float] = 120.0

    @classmethod
    def program(cls) -> Path | None:
        if which("erl") is None:
            return None
        return SCRIPT if SCRIPT.exists() else which("rabbitmq-server")

    @property
    def url(self) -> str:
        memory = self.memory
        return f"amqp://{USER}:{memory['password']}@{HOST}:{memory['port']}//"

    @property
    def tls_url(self) -> str:
        """Clients have to show a certificate (`certificates.client`)."""
        memory = self.memory
        return f"amqps://{USER}:{memory['password']}@{HOST}:{memory['tls_port']}//"

    @property
    def node(self) -> str:
        """Erlang's name of this node, one for each folder."""
        return f"scheduler-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}@localhost"

    @property
    def environment(self) -> dict[str, str]:
        distribution = DISTRIBUTION.format(node=self.node, **self.memory)
        return super().environment | {
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "data"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            # The script becomes the server instead of staying its parent.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{ERLANG} {distribution}",
            # RabbitMQ wants to start epmd every minute, by an Erlang which reads these. It fails: that is ignored.
            "ERL_FLAGS": "-start_epmd false",
            "ERL_EPMD_PORT": str(self.memory["epmd_port"]),
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_SCRIPTS_DIR": str(self.folder / "home" / "sbin"),
        }

    def prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "enabled_plugins").write_text("[].\n")
        self._make_home()
        made = self.certificates
        places = {"host": HOST, "user": USER, "ca": made.ca, "server": made.server, "key": made.server_key}
        extra = "".join(f"{name} = {value}\n" for name, value in self.settings.items())
        write_private(self.folder / "rabbitmq.conf", SETTINGS.format(**self.memory, **places) + extra)

    def command(self) -> list[str]:
        return [str(self.program())]

    def answers(self) -> bool:
        # It listens last of all when it starts. A frame of type 1 (method) on channel 0 is its greeting.
        return ask(self.memory["port"], b"AMQP\x00\x00\x09\x01").startswith(b"\x01\x00\x00")

    def delete_data(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _make_home(self) -> None:
        """The installation without plugins: none is enabled, and looking through them takes a third of the start."""
        home, scripts = self.folder / "home", Path(self.command()[0]).resolve().parent
        shutil.rmtree(home, ignore_errors=True)
        (home / "plugins").mkdir(parents=True)
        (home / "sbin").symlink_to(scripts)
        for each in (scripts.parent / "plugins").glob("*"):
            if not each.name.startswith("rabbitmq_") or each.name.startswith("rabbitmq_prelaunch"):
                (home / "plugins" / each.name).symlink_to(each)
