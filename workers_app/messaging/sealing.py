"""Authenticated encryption for everything that goes over the broker, as a kombu serializer named `sealed`.

Sealed bytes: version (1) | key id (4) | nonce (12) | AES-256-GCM ciphertext and tag; version and key
id are authenticated as associated data. The newest key seals, every known key opens, so keys are
rotated without downtime: add the new key behind the old one everywhere, then put it first, then
drop the old one.
"""

import base64
import binascii
import hashlib
import os
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from kombu.exceptions import DecodeError
from kombu.serialization import register

CONTENT_TYPE = "application/x-scheduler-sealed"
VERSION = b"\x01"
_HEAD = 5
_NONCE = 12


class SealError(DecodeError):
    """These bytes were not sealed with one of our keys, or were changed since."""


def new_key() -> str:
    """A new random key as text."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Seal:
    """Seals and opens with a list of keys, newest first. Raises `ValueError` for a list that cannot be used."""

    def __init__(self, keys: list[str]) -> None:
        if not keys:
            raise ValueError("no key is given")
        raw = [_decode_key(key) for key in keys]
        self._ciphers = {hashlib.sha256(key).digest()[:4]: AESGCM(key) for key in raw}
        self._head = VERSION + next(iter(self._ciphers))
        self._newest = self._ciphers[self._head[1:]]

    def seal(self, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return self._head + nonce + self._newest.encrypt(nonce, plain, self._head)

    def open(self, sealed: bytes) -> bytes:
        """Return the plain bytes; raises `SealError`."""
        head, nonce = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE]
        cipher = self._ciphers.get(head[1:])
        if head[:1] != VERSION or cipher is None:
            raise SealError("not sealed with a key of ours")
        try:
            return cipher.decrypt(nonce, sealed[_HEAD + _NONCE :], head)
        except (InvalidTag, ValueError) as error:
            raise SealError("changed since it was sealed") from error


def _decode_key(key: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError("a key is 32 random bytes in URL-safe base64")
    return raw


def install(seal: Seal) -> None:
    """Register the serializer `sealed` with kombu; Celery's events and remote control use it too."""

    def dumps(value: Any) -> bytes:
        return seal.seal(msgspec.msgpack.encode(value, enc_hook=str))

    def loads(sealed: bytes) -> Any:
        return msgspec.msgpack.decode(seal.open(bytes(sealed)))

    register("sealed", dumps, loads, content_type=CONTENT_TYPE, content_encoding="binary")
