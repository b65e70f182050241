import pytest

from workers_app.bucket import Bucket


def taken(bucket: Bucket, number: int, rate: float, now: float, burst: float = 10) -> bool:
    if bucket.wait(number, rate, burst, now):
        return False
    bucket.tokens -= number
    return True


def test_a_bucket_gives_a_burst_and_then_its_rate():
    bucket = Bucket()
    assert [taken(bucket, 1, 1, 100.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert not taken(bucket, 1, 1, 100.9)
    assert taken(bucket, 1, 1, 101.0)
    assert not taken(bucket, 1, 1, 101.0)


def test_a_bucket_says_how_long_to_wait():
    bucket = Bucket()
    assert taken(bucket, 10, 1, 0.0)
    assert bucket.wait(3, 1, 10, 0.0) == pytest.approx(3.0)
    assert bucket.wait(3, 1, 10, 2.0) == pytest.approx(1.0)


def test_who_takes_more_than_fit_leaves_a_debt():
    bucket = Bucket()
    assert taken(bucket, 60, 1, 0.0)
    assert bucket.wait(1, 1, 10, 0.0) == pytest.approx(51.0)
    assert taken(bucket, 1, 1, 51.0)


def test_in_the_long_run_it_gives_its_rate():
    bucket = Bucket()
    given = sum(taken(bucket, 1, 2, second / 10) for second in range(600))
    assert 120 <= given <= 130
