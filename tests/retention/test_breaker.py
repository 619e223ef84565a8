"""The breaker, on a clock of plain numbers."""

from retention.breaker import Breaker


def test_it_opens_at_the_third_failure_in_a_row_and_doubles_its_rest():
    breaker = Breaker()
    rests = []
    now = 0.0
    for _ in range(9):
        breaker.failed(now)
        rests.append(breaker.rest_s(now))
        now += rests[-1]
        assert breaker.rest_s(now) == 0

    assert rests == [0, 0, 1, 2, 4, 8, 10, 10, 10]


def test_a_success_between_failures_keeps_it_closed():
    breaker = Breaker()
    for _ in range(9):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()

    assert breaker.rest_s(0.0) == 0


def test_a_success_ends_the_doubling():
    breaker = Breaker()
    for _ in range(6):
        breaker.failed(0.0)
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(100.0)

    assert breaker.rest_s(100.0) == 1
