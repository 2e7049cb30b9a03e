"""Counts the steps of a regular expression: a backtracking matcher for the syntax that the project uses.

The matcher of `re` is written in C, and neither a profiler nor a tracer sees its work. This matcher tries the same
alternatives in the same order, without the shortcuts. Its steps grow as the time of `re` does, and are the same on
every machine.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

Spend = Callable[[int], None]
Node = tuple[Any, ...]

LOT = 1_000  # steps that are spent at once

_QUANTIFIER = re.compile(r"([*+?]|\{(\d*)(,?)(\d*)\})([?+]?)")
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SPACE = re.compile(rf"({_CLASS.pattern}|\\.)|\s+|#[^\n]*", re.DOTALL)  # what a verbose pattern leaves out
_NAME = re.compile(r"P<\w+>")
_FLAGS = re.compile(r"[aiLmsux]+(?=[):])")


def count_search(pattern: re.Pattern[str], text: str, start: int, found: re.Match[str] | None, spend: Spend) -> None:
    """Spend the steps of a search from a place, that found what it did."""
    program = compile_program(pattern.pattern, pattern.flags)
    for place in range(start, (found.start() if found else len(text)) + 1):
        spend(1)
        run(program, text, place, spend)


def count_match(pattern: re.Pattern[str], text: str, spend: Spend, *, full: bool) -> None:
    """Spend the steps of a match at the beginning, or of the whole text."""
    run(compile_program(pattern.pattern, pattern.flags), text, 0, spend, full=full)


def run(program: list[Node], text: str, start: int, spend: Spend, *, full: bool = False) -> int | None:
    """Return where a match from this place ends, or None; each instruction is a step."""
    waiting: list[tuple[int, int, tuple[int, ...]]] = [(0, start, ())]
    steps = 0
    while waiting:
        steps += 1
        if steps == LOT:
            spend(steps)
            steps = 0
        at, place, marks = waiting.pop()
        kind, *rest = program[at]
        if kind == "split":
            waiting += [(rest[1], place, marks), (rest[0], place, marks)]
        elif kind == "jump":
            waiting.append((rest[0], place, marks))
        elif kind == "mark":
            waiting.append((at + 1, place, (*marks, place)))
        elif kind == "moved":
            if marks[-1] != place:
                waiting.append((at + 1, place, marks[:-1]))
        elif kind == "one":
            if place < len(text) and rest[0](text[place]):
                waiting.append((at + 1, place + 1, marks))
        elif kind == "look":
            if rest[0].match(text, place):
                waiting.append((at + 1, place, marks))
        elif kind in ("ahead", "atomic"):
            end = run(rest[0], text, place, spend)
            if (end is not None) == (kind == "atomic" or rest[1]):
                waiting.append((at + 1, end if kind == "atomic" else place, marks))  # type: ignore[arg-type]
        elif not full or place == len(text):
            spend(steps)
            return place
    spend(steps)
    return None


@lru_cache(maxsize=1_000)
def compile_program(pattern: str, flags: int) -> list[Node]:
    """Return the instructions of a pattern. Raises ValueError for syntax that is not known here."""
    if flags & re.VERBOSE:
        pattern, flags = _SPACE.sub(lambda found: found[1] or "", pattern), flags & ~re.VERBOSE
    parser = _Parser(pattern, flags)
    tree = parser.either()
    if parser.rest():
        raise ValueError(f"cannot be counted at {parser.rest()!r}: {pattern}")
    return [*_emitted(tree, 0), ("end",)]


class _Parser:
    """Recursive descent: a pattern becomes a tree of nodes."""

    def __init__(self, pattern: str, flags: int) -> None:
        self._pattern, self._flags, self._at = pattern, flags & ~re.UNICODE, 0

    def rest(self) -> str:
        return self._pattern[self._at :]

    def either(self) -> Node:
        branches = [self._sequence()]
        while self._take("|"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else ("either", branches)

    def _sequence(self) -> Node:
        nodes = []
        while self.rest() and self.rest()[0] not in "|)":
            nodes.append(self._repeated(self._atom()))
        return ("sequence", nodes)

    def _repeated(self, node: Node) -> Node:
        found = _QUANTIFIER.match(self._pattern, self._at)
        if not found or found[1] == "{}":
            return node
        self._at = found.end()
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(found[1])
        low = int(found[2] or 0) if not simple else simple[0]
        high = (int(found[4]) if found[4] else None if found[3] else low) if not simple else simple[1]
        repeat = ("repeat", node, low, high, found[5] == "?")
        return ("atomic", repeat) if found[5] == "+" else repeat

    def _atom(self) -> Node:
        if self._take("("):
            return self._group()
        for known in (_CLASS, _ESCAPE):
            found = known.match(self._pattern, self._at)
            if found:
                self._at = found.end()
                return self._single(found[0])
        self._at += 1
        return self._single(self._pattern[self._at - 1])

    def _single(self, text: str) -> Node:
        compiled = re.compile(text if text in ".^$" or text[0] in "[\\" else re.escape(text), self._flags)
        if text in ("^", "$", "\\A", "\\Z", "\\b", "\\B"):
            return ("look", compiled)
        if text[0] == "\\" and text[1].isdigit():
            raise ValueError(f"back references cannot be counted: {self._pattern}")
        return ("one", lru_cache(maxsize=4_096)(lambda character: compiled.match(character) is not None))

    def _group(self) -> Node:
        start, flags = self._at - 1, self._flags
        kind, positive = "plain", True
        if self._take("?"):
            kind, positive = self._kind()
        node, self._flags = self.either(), flags
        if not self._take(")"):
            raise ValueError(f"not closed: {self._pattern}")
        if kind == "behind":  # its width is fixed, and small
            return ("look", re.compile(self._pattern[start : self._at], self._flags))
        return node if kind == "plain" else (kind, node, positive)

    def _kind(self) -> tuple[str, bool]:
        for sign, kind in (
            ("<=", ("behind", True)),
            ("<!", ("behind", False)),
            ("=", ("ahead", True)),
            ("!", ("ahead", False)),
            (">", ("atomic", True)),
            (":", ("plain", True)),
        ):
            if self._take(sign):
                return kind
        for known in (_NAME, _FLAGS):
            found = known.match(self._pattern, self._at)
            if found:
                self._at = found.end()
                if self._take(":"):  # the flags are those of this group
                    self._flags |= re.compile(f"(?{found[0]})").flags & ~re.UNICODE
                return "plain", True
        raise ValueError(f"an unknown group: {self._pattern}")

    def _take(self, text: str) -> bool:
        taken = self._pattern.startswith(text, self._at)
        self._at += len(text) * taken
        return taken


def _emitted(node: Node, at: int) -> list[Node]:
    """Return the instructions of a node, whose first will stand at this place."""
    kind, *rest = node
    if kind == "sequence":
        code: list[Node] = []
        for one in rest[0]:
            code += _emitted(one, at + len(code))
        return code
    if kind == "either":
        return _branches(rest[0], at)
    if kind == "repeat":
        return list(_repetitions(*rest, at))  # type: ignore[misc]
    if kind in ("ahead", "atomic"):
        return [(kind, [*_emitted(rest[0], 0), ("end",)], *rest[1:])]
    return [node]


def _branches(branches: list[Node], at: int) -> list[Node]:
    first = _emitted(branches[0], at + 1)
    if len(branches) == 1:
        return _emitted(branches[0], at)
    others = at + 1 + len(first) + 1
    rest = _branches(branches[1:], others)
    return [("split", at + 1, others), *first, ("jump", others + len(rest)), *rest]


def _repetitions(node: Node, low: int, high: int | None, lazy: bool, at: int) -> Iterator[Node]:
    for _ in range(low):
        code = _emitted(node, at)
        at += len(code)
        yield from code
    if high is None:
        body = [("mark",), *_emitted(node, at + 2), ("moved",)]
        inside, outside = at + 1, at + 2 + len(body)
        yield ("split", outside, inside) if lazy else ("split", inside, outside)
        yield from body
        yield ("jump", at)
        return
    size = len(_emitted(node, at)) + 1
    outside = at + size * (high - low)
    for n in range(high - low):
        inside = at + size * n + 1
        yield ("split", outside, inside) if lazy else ("split", inside, outside)
        yield from _emitted(node, inside)
