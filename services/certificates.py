"""Certificates for tests: an authority, a server, a client, and an authority that nobody should trust."""

import ipaddress
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 365
NAMES: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]


USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Certificates:
    """Where they are."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def client(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"

    @property
    def other_ca(self) -> Path:
        """An authority that has signed none of the others."""
        return self.folder / "other-ca.pem"


def make(folder: Path) -> Certificates:
    """Make them, unless the folder has some that hold for another month."""
    made = Certificates(folder)
    # The last file that is written tells that all are there.
    if made.other_ca.exists() and time.time() - made.other_ca.stat().st_mtime < (DAYS - 30) * 86400:
        return made
    folder.mkdir(parents=True, exist_ok=True)
    authority = _authority("Tests")
    _write(made.ca, authority[0])
    _write(made.server, *_leaf("127.0.0.1", authority, ExtendedKeyUsageOID.SERVER_AUTH), key_path=made.server_key)
    _write(made.client, *_leaf("client", authority, ExtendedKeyUsageOID.CLIENT_AUTH), key_path=made.client_key)
    _write(made.other_ca, _authority("Somebody else")[0])
    return made


Pair = tuple[x509.Certificate, EllipticCurvePrivateKey]


def _authority(name: str) -> Pair:
    key = generate_private_key(SECP256R1())
    subject = _name(f"{name} authority")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = _builder(subject, subject, key, key).add_extension(usage, critical=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.sign(key, SHA256()), key


def _leaf(name: str, authority: Pair, purpose: x509.ObjectIdentifier) -> Pair:
    key = generate_private_key(SECP256R1())
    builder = _builder(_name(name), authority[0].subject, key, authority[1])
    builder = builder.add_extension(_usage(digital_signature=True), critical=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(NAMES), critical=False)
    return builder.sign(authority[1], SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, issuer_key: EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    # A clock that is a little behind must not find them invalid.
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=DAYS))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return builder.add_extension(identifier, critical=False).add_extension(signer, critical=False)


def _usage(**true: bool) -> x509.KeyUsage:
    return x509.KeyUsage(**(dict.fromkeys(USAGES, False) | true))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(
    path: Path, certificate: x509.Certificate, key: EllipticCurvePrivateKey | None = None, key_path: Path | None = None
) -> None:
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    if key and key_path:
        key_path.unlink(missing_ok=True)
        descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
