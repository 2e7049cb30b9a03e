"""A short run of the fuzzer, always the same; `make fuzz` is the long one."""

import math
from random import Random

from tests.fuzz.mutation import make_request
from tests.fuzz.running import report, run


def test_mutated_requests_make_nothing_fail():
    result = run(seed=1, requests=1_000, processes=2, most=math.inf, progress=False)
    assert result.statuses.total() == 1_000
    assert not result.failures, "\n".join(report(result, seed=1))
    assert {
        200,
        201,
        204,
        400,
        404,
    } <= result.statuses.keys()  # most are still near enough to real ones to be carried out


def test_a_request_follows_from_the_seed_and_its_number():
    def made():
        return [make_request(Random(f"7:{number}")) for number in range(100)]

    assert made() == made()
