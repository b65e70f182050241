"""Authenticated encryption for everything that goes over the broker.

Sealed bytes: version (1) | key id (4) | salt (16) | nonce (12) | AES-256-GCM ciphertext and tag. Version, key
id and salt are authenticated as associated data. Each process draws a salt when it starts and encrypts under
HKDF-SHA256(key, salt), so that random nonces cannot collide however long a key is used (NIST SP 800-38D allows
2**32 messages for one key; now that is for one process).

The newest key seals, every known key opens, so keys are rotated without downtime: add the new key behind the
old one everywhere, then put it first, then drop the old one.
"""

import base64
import binascii
import hashlib
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from kombu.exceptions import DecodeError

CONTENT_TYPE = "application/x-scheduler-sealed"
VERSION = b"\x02"
_KEY_ID = slice(1, 5)
_SALT = slice(5, 21)
_HEAD = slice(0, 21)
_NONCE = slice(21, 33)
_TEXT = slice(33, None)
_SENDERS = 1000
"""Ciphers of so many senders are kept ready."""


class SealError(DecodeError):
    """These bytes are not to be believed; `reason` is one word for the counter."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def new_key() -> str:
    """A new random key as text."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Seal:
    """Seals and opens with a list of keys, newest first. Raises `ValueError` for a list that cannot be used."""

    def __init__(self, keys: list[str]) -> None:
        if not keys:
            raise ValueError("no key is given")
        raw = [_decode_key(key) for key in keys]
        self._keys = {hashlib.sha256(key).digest()[:4]: key for key in raw}
        self._cipher = lru_cache(_SENDERS)(self._derive)
        self._head = VERSION + next(iter(self._keys)) + os.urandom(16)
        self._newest = self._derive(self._head)

    def _derive(self, head: bytes) -> AESGCM:
        """The cipher of the process that seals under `head`; raises `KeyError` where the key is not ours."""
        key = self._keys[head[_KEY_ID]]
        return AESGCM(HKDF(SHA256(), length=32, salt=head[_SALT], info=b"scheduler message").derive(key))

    def seal(self, plain: bytes) -> bytes:
        nonce = os.urandom(12)
        return self._head + nonce + self._newest.encrypt(nonce, plain, self._head)

    def open(self, sealed: bytes) -> bytes:
        """Return the plain bytes; raises `SealError`."""
        head = sealed[_HEAD]
        if len(sealed) < _TEXT.start or head[:1] != VERSION or head[_KEY_ID] not in self._keys:
            raise SealError("wrong_key", "not sealed with a key of ours")
        try:
            return self._cipher(head).decrypt(sealed[_NONCE], sealed[_TEXT], head)
        except InvalidTag as error:
            raise SealError("altered", "changed since it was sealed") from error


def identity(sealed: bytes) -> bytes:
    """What no two sealed messages have in common: salt and nonce."""
    return sealed[_SALT.start : _NONCE.stop]


def _decode_key(key: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(key)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise ValueError("a key is 32 random bytes in URL-safe base64")
    return raw
