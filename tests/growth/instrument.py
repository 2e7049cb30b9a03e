"""Puts the helpers of `counting` into each module of the project as it is imported."""

import ast
import builtins
import sys
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from tests.growth.counting import HELPERS, OWN

ROOT = Path(__file__).parents[2]
PACKAGES = ("scim", "storage", "panel", "provisioning_log", "config", "fileio", "runtime", "commands", "webhooks")
SKIPPED = {"super", "locals", "globals", "vars", "dir", "eval", "exec"}

OWN.add(__file__)


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
