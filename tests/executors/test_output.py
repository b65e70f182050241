import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from executors.output import HeadTail

CHUNKS = st.lists(st.binary(max_size=40), max_size=30)


def through(output: HeadTail, chunks: list[bytes]) -> tuple[bytes, bytes]:
    return b"".join(output.feed(chunk) for chunk in chunks), output.finish()


@given(CHUNKS, st.integers(0, 200))
def test_what_fits_passes_unchanged_and_in_order(chunks: list[bytes], room: int) -> None:
    whole = b"".join(chunks)
    head, rest = through(HeadTail(len(whole) + room + len(whole) // 3 + 4), chunks)
    assert head + rest == whole


@given(CHUNKS, st.integers(0, 300))
def test_beginning_and_end_are_kept_and_the_gap_is_counted(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)
    head, rest = through(HeadTail(limit), chunks)
    assert head == whole[: limit - limit // 4]
    dropped = len(whole) - limit
    if dropped <= 0:
        assert head + rest == whole
    else:
        marker = f"\n[… {dropped:,} bytes of output dropped …]\n".encode()
        assert rest == marker + whole[len(whole) - limit // 4 :]


@given(CHUNKS, st.integers(0, 300))
def test_how_it_is_cut_into_chunks_does_not_matter(chunks: list[bytes], limit: int) -> None:
    head, rest = through(HeadTail(limit), chunks)
    whole = b"".join(chunks)
    assert through(HeadTail(limit), [whole]) == (head, rest)
    assert through(HeadTail(limit), [bytes([byte]) for byte in whole]) == (head, rest)


def test_a_large_number_is_written_with_commas() -> None:
    output = HeadTail(8)
    output.feed(b"x" * 123_464)
    assert output.finish() == "\n[… 123,456 bytes of output dropped …]\n".encode() + b"xx"


def test_memory_stays_bounded() -> None:
    output, chunk = HeadTail(1024 * 1024), b"x" * 65_536
    tracemalloc.start()
    try:
        for _ in range(2000):
            output.feed(chunk)
        for _ in range(100_000):
            output.feed(b"ab")
        assert tracemalloc.get_traced_memory()[1] < 1024 * 1024
    finally:
        tracemalloc.stop()


def test_finish_twice_gives_nothing_more() -> None:
    output = HeadTail(4)
    output.feed(b"abcdefgh")
    assert output.finish()
    assert output.finish() == b""


@given(CHUNKS, CHUNKS, st.integers(0, 300), st.integers(0, 300))
def test_shortened_it_keeps_less_from_then_on(before: list[bytes], after: list[bytes], limit: int, less: int) -> None:
    output, whole = HeadTail(limit), b"".join(before + after)
    passed, _ = b"".join(map(output.feed, before)), output.shorten(less)
    head = passed + b"".join(map(output.feed, after))
    rest = output.finish()
    least = min(less, limit)
    assert head == whole[: max(len(passed), least - least // 4)]
    kept = whole[len(whole) - min(least // 4, len(whole) - len(head)) :]
    dropped = len(whole) - len(head) - len(kept)
    assert rest == (f"\n[… {dropped:,} bytes of output dropped …]\n".encode() if dropped else b"") + kept


def test_shortening_again_changes_nothing() -> None:
    output = HeadTail(16)
    output.shorten(8)
    output.shorten(12)
    assert (output.feed(b"abcdefghijkl"), output.finish()) == (
        b"abcdef",
        b"\n[\xe2\x80\xa6 4 bytes of output dropped \xe2\x80\xa6]\nkl",
    )
