"""Encrypted connections to every broker: we know who it is, it knows who we are, and nobody else gets in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from services import Certificates, Entry, load
from tests.brokers import address
from workers_app import environment
from workers_app.messaging import broker
from workers_app.messaging.protocol import Hint
from workers_app.messaging.sender import Sender


@dataclass
class Tls:
    """A broker that only lets those in who show a certificate; `set` says what we do."""

    url: str
    certificates: Certificates
    set: Callable[..., None]

    def speak(self) -> None:
        """Send a message and see it arrive, over a new connection."""
        with broker.connect(seconds=5) as connection:
            sender = Sender(connection.channel())
            with sender.batch():
                sender.to_dispatchers(Hint(), None)


@pytest.fixture
def tls(broker_kind: str, broker_server: Entry, monkeypatch: pytest.MonkeyPatch) -> Tls:
    if not broker_server.tls_url:
        pytest.skip("this server cannot encrypt")
    monkeypatch.setattr(environment, "problems", [])
    known = load().certificates
    monkeypatch.setenv("BROKER_URL", address(broker_kind, broker_server.tls_url).partition("?")[0])

    def choose(ca: Path | None = known.ca, certificate: bool = True, **more: str) -> None:
        given = {"BROKER_CA_FILE": ca}
        given |= {"BROKER_CERTIFICATE_FILE": known.client, "BROKER_KEY_FILE": known.client_key} if certificate else {}
        for name, value in (given | more).items():
            monkeypatch.setenv(name, str(value or ""))

    return Tls(broker.url(), known, choose)


def refused(tls: Tls) -> BaseException:
    with pytest.raises(Exception) as error:
        tls.speak()
    assert isinstance(error.value, broker.errors(broker.connect())), error.value
    return error.value


def test_with_the_right_certificates(tls: Tls):
    tls.set()
    tls.speak()


def test_a_broker_that_another_authority_vouches_for_is_refused(tls: Tls):
    tls.set(ca=tls.certificates.other_ca)
    assert "certificate verify failed" in str(refused(tls)).lower()


def test_a_broker_is_not_believed_by_default(tls: Tls):
    tls.set(ca=None)
    assert "certificate verify failed" in str(refused(tls)).lower()


def test_a_broker_under_another_name_is_refused(tls: Tls, monkeypatch):
    tls.set()
    # The same machine, by a name that is not in its certificate.
    monkeypatch.setenv("BROKER_URL", tls.url.replace("127.0.0.1", "127.1"))
    assert "certificate verify failed" in str(refused(tls)).lower()


def test_verification_can_be_given_up(tls: Tls):
    tls.set(ca=tls.certificates.other_ca, BROKER_VERIFY="no")
    tls.speak()


def test_without_a_certificate_of_our_own_the_broker_refuses(tls: Tls):
    tls.set(certificate=False)
    refused(tls)


def test_a_file_that_cannot_be_read_is_named(tls: Tls):
    tls.set(ca=Path("/nowhere/ca.pem"))
    broker.tls(tls.url)
    assert environment.problems == ["BROKER_CA_FILE: cannot read /nowhere/ca.pem. Name a readable file."]
