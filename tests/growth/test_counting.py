"""Tests of the counters: the matcher agrees with `re`, and loops in C are counted."""

import ast
import importlib
import pkgutil
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.growth import counting, instrument
from tests.growth.backtracking import compile_program, count_search, run


def project_patterns():
    """Every pattern that a module of the project has under a name of its own."""
    names = [
        found.name
        for package in ("scim", "panel", "provisioning_log", "config", "runtime", "storage", "webhooks")
        for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}.")
    ]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    found = {one for one in values if isinstance(one, re.Pattern)}
    return sorted((one if isinstance(one.pattern, str) else as_text(one) for one in found), key=lambda one: one.pattern)


def as_text(pattern):
    """Return a pattern for bytes as one for text: the matcher takes only these."""
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags)


OTHERS = [
    r"(a|ab)(c|bcd)(d*)",
    r"(?:x{2,3}?|y+?)z",
    r"a*+b|(?>a+)c",
    r"^\s*(?=\w)(?!no)\S{1,4}$",
    r"(?i:A)b",
    r"(?:a*)*b",
]
PATTERNS = [*project_patterns(), *map(re.compile, OTHERS)]
texts = st.text(st.sampled_from('ab cdxyz"\\.:-/[]()W19#eq'), max_size=30) | st.text(max_size=10)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda one: one.pattern[:30])
def test_the_matcher_finds_what_re_finds(pattern):
    @settings(max_examples=40, deadline=None)
    @given(texts)
    @example("ab")
    def check(text):
        program = compile_program(pattern.pattern, pattern.flags)
        found = pattern.match(text)
        assert run(program, text, 0, lambda _: None) == (found.end() if found else None)
        whole = pattern.fullmatch(text)
        assert run(program, text, 0, lambda _: None, full=True) == (whole.end() if whole else None)

    check()


def searched(pattern, text):
    steps: list[int] = []
    count_search(re.compile(pattern), text, 0, re.search(pattern, text), steps.append)
    return sum(steps)


@pytest.mark.parametrize(("pattern", "unit", "power"), [(r"b", "a", 1), (r"a*b", "a", 2), (r"a*a*b", "a", 3)])
def test_backtracking_is_counted(pattern, unit, power):
    few, many = (searched(pattern, unit * n) for n in (20, 40))
    assert 2 ** (power - 0.4) <= many / few <= 2 ** (power + 0.4)


@pytest.mark.parametrize(
    "expression",
    [
        "9 in values",
        "values == other",
        "values[1:]",
        "sorted(values)",
        "text.replace('a', 'b')",
        "text + text",
        "[one for one in values]",
        "[*values]",
        "f'{text}'",
        "values.index(last)",
    ],
)
def test_work_in_c_is_counted(expression):
    def steps(n):
        scope = {"values": ["x"] * n + ["y"], "other": ["x"] * n + ["y"], "text": "a" * n, "last": "y"}
        tree = instrument.Instrument().visit(ast.parse(expression, mode="eval"))
        code = compile(ast.fix_missing_locations(tree), "test", "eval")
        names = {f"_count_{name}": helper for name, helper in counting.HELPERS.items()}
        with counting.work.counted(10**6):
            eval(code, {**names, **scope})
        return counting.work.steps

    assert steps(2_000) - steps(1_000) >= 1_000
