"""Counts the work of the project's code: a loader instruments each module as it is imported.

These are steps:
- a call, and a round of a loop;
- each element that a function of C is given or returns;
- each element that `in` or `==` compares, and that a slice, a sum or a display copies;
- each step of a regular expression (`backtracking`);
- a call within a library, which a profiler sees.

Time is not measured, so the figure is the same on every machine. A tracer alone would miss the loops in C.
"""

import ast
import builtins
import functools
import gc
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
from typing import Any

from tests.growth.backtracking import count_match, count_search

ROOT = Path(__file__).parents[2]
PACKAGES = ("scim", "storage", "panel", "provisioning_log", "config", "fileio", "runtime", "commands", "webhooks")
CONTAINERS = (str, bytes, bytearray, list, tuple, dict, set, frozenset, deque)
# What costs the same whatever the size of its argument or of its object.
CONSTANT = {
    *("append", "appendleft", "add", "get", "pop", "popleft", "popitem", "setdefault", "discard", "items", "keys"),
    *("values", "len", "isinstance", "issubclass", "getattr", "hasattr", "setattr", "iter", "next", "id", "type"),
    *("callable", "bool", "range", "enumerate", "zip", "filter", "partial", "chain", "islice", "repr", "cast"),
}
NOT_OWNER = {"extend", "update", "join", "startswith", "endswith", "clear"}  # what is in the object costs nothing
SKIPPED = {"super", "locals", "globals", "vars", "dir", "eval", "exec"}


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
        if event in ("call", "c_call") and frame.f_code.co_filename not in _OWN:
            self.spend(1)


work = Work()
_OWN = {__file__, count_search.__code__.co_filename}


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
        work.spend(sum(map(size, given)) + size(result) + (0 if name in NOT_OWNER else size(owner)))
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


class Instrument(ast.NodeTransformer):
    """Puts the helpers around what costs something."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in SKIPPED:
            return node
        return self._helped("call", node, node.func, *node.args, keywords=node.keywords)

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        node.iter = self._helped("each", node.iter, node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.iter = self._helped("each", node.iter, node.iter)
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.copy_location(ast.Expr(self._helped("tick", node)), node))
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        (operator, *others), (right, *_) = node.ops, node.comparators
        if others:
            return node
        if isinstance(operator, ast.In | ast.NotIn):
            helped = self._helped("contains", node, node.left, right)
        elif isinstance(operator, ast.Eq | ast.NotEq):
            helped = self._helped("equal", node, node.left, right)
        else:
            return node
        negated = isinstance(operator, ast.NotIn | ast.NotEq)
        return ast.copy_location(ast.UnaryOp(ast.Not(), helped), node) if negated else helped

    def _sized(self, node: ast.expr) -> ast.AST:
        self.generic_visit(node)
        return self._helped("sized", node, node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        return self._sized(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return self._sized(node)

    def visit_List(self, node: ast.List) -> ast.AST:
        return self._sized(node) if isinstance(node.ctx, ast.Load) else self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        return self._sized(node)

    def visit_Set(self, node: ast.Set) -> ast.AST:
        return self._sized(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        is_copy = isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Slice)
        return self._sized(node) if is_copy else self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        node.value = self._helped("sized", node.value, node.value)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = self.visit(node.value) if node.value else None  # the annotation is left as it is
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        node.value = self.visit(node.value)  # its format is a JoinedStr that must stay one
        return node

    @staticmethod
    def _helped(name: str, at: ast.AST, *given: ast.expr, keywords: list[ast.keyword] | None = None) -> ast.Call:
        helper = ast.Name(f"_count_{name}", ast.Load())
        return ast.copy_location(ast.Call(helper, list(given), keywords or []), at)


class CountingLoader(SourceFileLoader):
    """Loads a module of the project with the helpers in it; compiled files are neither read nor written."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> CodeType:
        tree = Instrument().visit(ast.parse(data, path))
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)
        return code


def install() -> None:
    """Instrument every module of the project that is imported from now on."""
    for name, helper in HELPERS.items():
        setattr(builtins, f"_count_{name}", helper)
    folders = tuple(str(ROOT / package) for package in PACKAGES)
    finder = FileFinder.path_hook((CountingLoader, [".py"]))

    def hook(path: str) -> Any:
        if path == str(ROOT) or not path.startswith(folders):
            raise ImportError(path)
        return finder(path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()
