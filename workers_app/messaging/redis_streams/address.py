"""Where the server is and how to get there: kombu's connection parameters for redis-py."""

import logging
from ssl import CERT_NONE
from typing import Any
from urllib.parse import urlencode

import redis
from kombu.utils.imports import symbol_by_name
from kombu.utils.url import parse_url, url_to_parts, urlparts

logger = logging.getLogger(__name__)

HEALTH_CHECK_INTERVAL = 25.0

_SOCKET_OPTIONS = ("socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_keepalive_options")
_TIMEOUTS = ("socket_timeout", "socket_connect_timeout")
_INSECURE = {"ssl_cert_reqs": CERT_NONE}


class Address:
    """Makes connections to the server that a `kombu.Connection` names."""

    def __init__(self, client: Any) -> None:
        options, named = client.transport_options, _named(client)
        self.is_socket = named.scheme.endswith("socket")
        self.database = _database(named.query.get("virtual_host") if self.is_socket else named.path)
        interval = options.get("health_check_interval", HEALTH_CHECK_INTERVAL)
        self.patience: float = options.get("socket_timeout") or interval or float("inf")
        # RESP3 would change the shape of replies; no retries, as nobody but the caller knows what may be repeated.
        self._parameters: dict[str, Any] = {"db": self.database, "protocol": 2, "retry": None}
        self._parameters |= {option: options.get(option) for option in (*_SOCKET_OPTIONS, "client_name")}
        # No command blocks while its reply is read, so an answer that does not come in this time never will.
        self._parameters["socket_timeout"] = options.get("socket_timeout") or interval or None
        self._parameters |= _credentials(client, named)
        self._class: Any = redis.Connection
        if self.is_socket:
            self._use_socket(named.path or "")
        else:
            self._parameters |= {"host": named.hostname or "127.0.0.1", "port": named.port or 6379}
            self._use_tls(_tls(client, named))

    def connect(self, patience: float | None = None, **parameters: Any) -> Any:
        """A new connection of redis-py, open; raises its errors. `patience`: the longest wait, in seconds."""
        if patience is not None:
            parameters |= {option: patience for option in _TIMEOUTS if option in self._parameters}
        connection = self._class(**{**self._parameters, **parameters})
        connection.connect()
        return connection

    def client(self) -> redis.Redis:
        """A plain client of the same server."""
        pool = redis.ConnectionPool(connection_class=self._class, **self._parameters)
        return redis.Redis.from_pool(pool)

    def _use_socket(self, path: str) -> None:
        self._class = redis.UnixDomainSocketConnection
        self._parameters["path"] = "/" + path.lstrip("/")
        for option in _SOCKET_OPTIONS[1:]:
            del self._parameters[option]

    def _use_tls(self, tls: dict[str, Any] | None) -> None:
        if tls is not None:
            self._class = redis.SSLConnection
            self._parameters |= tls


def _named(client: Any) -> Any:
    """The parts of the address. kombu parses a URL itself, but for `redis+stream://…` it cuts off `redis+` and leaves
    the rest as the host name; only the second and later URLs of a failover list are always parsed."""
    scheme = str(client.transport_cls)
    own = urlparts(scheme, client.hostname, client.port, client.userid, client.password, client.virtual_host, {})
    if "://" not in (client.hostname or ""):
        return own
    url = url_to_parts(client.hostname)
    return urlparts(
        f"{scheme}+{url.scheme}",
        url.hostname,
        url.port or own.port,
        url.username or own.username,
        url.password or own.password,
        url.path or own.path,
        url.query,
    )


def _database(name: str | int | None) -> int:
    try:
        return int(str(name or "").lstrip("/") or 0)
    except ValueError as error:
        raise ValueError(f"The database is a number, not {name!r}") from error


def _credentials(client: Any, named: Any) -> dict[str, Any]:
    provider = named.query.get("credential_provider") or client.credential_provider
    if isinstance(provider, str):
        provider = symbol_by_name(provider)()
    if provider:
        return {"credential_provider": provider}
    password = named.password() if callable(named.password) else named.password
    return {"username": named.username, "password": password}


def _tls(client: Any, named: Any) -> dict[str, Any] | None:
    """kombu's `ssl` option and the URL's `ssl_…`, with the defaults of kombu's Redis transport; None is no TLS."""
    query = {name: value for name, value in named.query.items() if name.startswith("ssl_")}
    of_url = parse_url(f"x://?{urlencode(query)}")["ssl"] if query else {}
    given = client.ssl
    if given or of_url:
        # Where the URL was cut, kombu has put its default before the URL's own options could be seen.
        given = given if isinstance(given, dict) and not (of_url and given == _INSECURE) else {}
        return {**given, **of_url}
    if not named.scheme.startswith("rediss"):
        return None
    logger.warning("rediss+stream without ssl options: the server's certificate is not checked.")
    return dict(_INSECURE)
