"""Only what was sealed with a known key is opened, and only unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_app.messaging.sealing import Seal, SealError, new_key

KEY = new_key()
SEAL = Seal([KEY])


@given(st.binary(max_size=200))
def test_what_is_sealed_can_be_opened_and_not_read(plain: bytes):
    sealed = SEAL.seal(plain)
    assert SEAL.open(sealed) == plain
    assert len(plain) < 8 or plain not in sealed


@given(st.data())
def test_a_change_anywhere_is_refused(data: st.DataObject):
    sealed = bytearray(SEAL.seal(b"start this attempt"))
    where = data.draw(st.integers(0, len(sealed) - 1))
    sealed[where] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        SEAL.open(bytes(sealed))


@given(st.binary(max_size=60))
def test_noise_is_refused(noise: bytes):
    with pytest.raises(SealError):
        SEAL.open(noise)


def test_the_same_text_never_looks_the_same():
    assert SEAL.seal(b"x") != SEAL.seal(b"x")


def test_keys_are_rotated_without_a_gap():
    new = new_key()
    old_first, new_first, new_only = Seal([KEY, new]), Seal([new, KEY]), Seal([new])
    assert new_first.open(old_first.seal(b"a")) == b"a"
    assert old_first.open(new_first.seal(b"b")) == b"b"
    assert new_only.open(new_first.seal(b"c")) == b"c"
    with pytest.raises(SealError):
        new_only.open(old_first.seal(b"d"))


@pytest.mark.parametrize("keys", [[], [""], ["short"], ["not base64!"], [KEY, "x"]])
def test_keys_that_are_none_are_refused(keys: list[str]):
    with pytest.raises(ValueError, match="key"):
        Seal(keys)
