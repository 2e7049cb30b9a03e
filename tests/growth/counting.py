"""Counts the work of the project's code: what `instrument` puts around whatever costs something.

These are steps:
- a call, and a round of a loop;
- each element that a function of C is given or returns;
- each element that `in` or `==` compares, and that a slice, a sum or a display copies;
- each step of a regular expression (`backtracking`);
- a call within a library, which a profiler sees.

Time is not measured, so the figure is the same on every machine. A tracer alone would miss the loops in C.
"""

import functools
import gc
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from tests.growth.backtracking import count_match, count_search

CONTAINERS = (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque)
# What costs the same whatever the size of its argument or of its object.
CONSTANT = {
    *("append", "appendleft", "add", "get", "pop", "popleft", "popitem", "setdefault", "discard", "items", "keys"),
    *("values", "len", "isinstance", "issubclass", "getattr", "hasattr", "setattr", "iter", "next", "id", "type"),
    *("callable", "bool", "range", "enumerate", "zip", "filter", "partial", "chain", "islice", "repr", "cast"),
}
NOTOWNER = {"extend", "update", "join", "startswith", "endswith", "clear"}  # what is in the object costs nothing


class TooMuchWork(BaseException):  # no handler of the application's takes it
    """The work has gone past the ceiling."""


class Work:
    """The steps taken so far. Those after `ceiling` raise TooMuchWork."""

    def __init__(self) -> None:
        self.steps = 0
        self.ceiling: int | None = None
        self._counts = False

    @contextmanager
    def counted(self, ceiling: int) -> Iterator[None]:
        """Count from nothing while the context lasts, in every thread.

        The garbage collector and its callbacks stay out. Collect first: a collection that is due by now runs in spite
        of `gc.disable` (Python 3.12 and later).
        """
        gc.collect()
        gc.disable()
        self.steps, self.ceiling, self._counts = 0, ceiling, True
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
            self._counts = False
            gc.enable()

    @contextmanager
    def without_profile(self) -> Iterator[None]:
        """Leave the profiler out while the context lasts: what counts there counts for itself."""
        profile = sys.getprofile()
        sys.setprofile(None)
        try:
            yield
        finally:
            sys.setprofile(profile)

    def spend(self, steps: int) -> None:
        """Count steps."""
        if self._counts:
            self.steps += steps
            if self.ceiling is not None and self.steps > self.ceiling:
                self._counts = False  # what is cleaned up on the way out may take its time
                raise TooMuchWork

    def _profile(self, frame: Any, event: str, _: Any) -> None:
        if event in ("call", "c_call") and frame.f_code.co_filename not in OWN:
            self.spend(1)


work = Work()
OWN = {__file__, count_search.__code__.co_filename}


def call(function: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
    """Call a function, and count what it costs."""
    if not work._counts:
        return function(*given, **named)
    work.spend(1)
    found = _regular_expression(function, given, named)
    if found:
        return found()
    if isinstance(function, FunctionType | MethodType):
        return function(*given, **named)
    if function is map:
        return map(functools.partial(call, given[0]), *given[1:])
    result = function(*given, **named)
    name = getattr(function, "__name__", "")
    if name not in CONSTANT:
        owner = getattr(function, "__self__", None) if isinstance(function, BuiltinFunctionType) else None
        work.spend(sum(map(size, given)) + size(result) + (0 if name in NOTOWNER else size(owner)))
    return result


def _regular_expression(
    function: Callable[..., Any], given: tuple[Any, ...], named: dict[str, Any]
) -> Callable[[], Any] | None:
    """Return what calls a method of a pattern, or a function of `re`, with its steps counted; None for the rest."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, re.Pattern):
        return functools.partial(_matched, owner, function.__name__, *given, **named)
    if getattr(function, "__module__", "") == "re" and function.__name__ in ("match", "fullmatch", "search", *_SCANS):
        pattern, *rest = given
        compiled = pattern if isinstance(pattern, re.Pattern) else re.compile(pattern, named.pop("flags", 0))
        return functools.partial(_matched, compiled, function.__name__, *rest, **named)
    return None


_SCANS = {"sub": 1, "subn": 1, "findall": 0, "finditer": 0, "split": 0}  # and where the text stands among the arguments


def _matched(pattern: re.Pattern[Any], name: str, *given: Any, **named: Any) -> Any:
    text = given[_SCANS.get(name, 0)]
    if not isinstance(text, str):
        return getattr(pattern, name)(*given, **named)
    if name == "finditer":
        return _iterated(pattern, text)
    if name in ("match", "fullmatch"):
        with work.without_profile():
            count_match(pattern, text, work.spend, full=name == "fullmatch")
    elif name == "search":
        _count_search(pattern, text, 0, pattern.search(text))
    else:
        deque(_iterated(pattern, text), maxlen=0)
    return getattr(pattern, name)(*given, **named)


def _iterated(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield the matches, and count each search when it is asked for."""
    start = 0
    for found in pattern.finditer(text):
        _count_search(pattern, text, start, found)
        start = max(found.end(), start + 1)
        yield found
    _count_search(pattern, text, start, None)


def _count_search(pattern: re.Pattern[str], text: str, start: int, found: re.Match[str] | None) -> None:
    with work.without_profile():
        count_search(pattern, text, start, found, work.spend)


def each(values: Iterable[Any]) -> Iterator[Any]:
    """Yield the values, and count each."""
    for value in values:
        work.spend(1)
        yield value


def sized(value: Any) -> Any:
    """Return a value that was put together, and count what it holds."""
    work.spend(size(value))
    return value


def contains(value: Any, container: Any) -> Any:
    """Return whether a container has a value; lists and texts are gone through for it."""
    work.spend(len(container) if isinstance(container, str | bytes | list | tuple | deque) else 1)
    return value in container


def equal(one: Any, other: Any) -> Any:
    """Compare two values."""
    work.spend(min(size(one), size(other)) + 1)
    return one == other


def tick() -> None:
    """Count a round of a loop."""
    work.spend(1)


def size(value: Any) -> int:
    """Return how many elements or characters a value has, if it is a container of Python's own."""
    return len(value) if isinstance(value, CONTAINERS) else 0  # an ABC such as Sized takes steps to fill its caches


HELPERS = {"call": call, "each": each, "sized": sized, "contains": contains, "equal": equal, "tick": tick}
