"""Which names a cell defines and uses, and which of them live in the student's process."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable

# A helper that looks names up at run time can reach the student's functions.
LOOK_UP = frozenset({"globals", "locals", "vars", "eval", "exec", "call", "vjp"})


def parsed(source: str) -> ast.Module:
    """The cell's tree; an empty one where the text is no Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])


@functools.lru_cache(maxsize=1024)
def strings(source: str) -> tuple[str, ...]:
    """The strings that a cell holds."""
    return strings_in(parsed(source))


def strings_in(tree: ast.AST) -> tuple[str, ...]:
    """The strings that a tree holds."""
    return tuple(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def names_defined(source: str) -> frozenset[str]:
    """Names that a cell defines at its top level: functions, classes, variables; no imports."""
    found: set[str] = set()

    def visit(statements: list[ast.stmt]) -> None:
        for node in statements:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
                continue
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    found.update(n.id for n in ast.walk(target) if isinstance(n, ast.Name))
            for block in ("body", "orelse", "finalbody"):
                visit(getattr(node, block, []))
            for handler in getattr(node, "handlers", []):
                visit(handler.body)

    visit(parsed(source).body)
    return frozenset(found)


def names_used(tree: ast.AST) -> frozenset[str]:
    """Names that a tree reads, and words it holds as text, as in `call("conv1d", x)`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.isidentifier():
                found.add(node.value)
    return frozenset(found)


@functools.lru_cache(maxsize=8)
def names_of_student(solutions: tuple[str, ...], setup: tuple[str, ...]) -> frozenset[str]:
    """Functions and classes that must run in the student's process.

    Those that solution cells define, and helpers of setup cells that reach them.
    """
    reached = {node.name for source in solutions for node in _definitions(source)}
    helpers = {node.name: names_used(node) for source in setup for node in _definitions(source)}
    grows = True
    while grows:
        new = {name for name, uses in helpers.items() if uses & (reached | LOOK_UP)} - reached
        reached |= new
        grows = bool(new)
    return frozenset(reached)


def code_reached(cells: Iterable[str], helpers: Iterable[str]) -> str:
    """The text of cells, and of the functions of helper cells that these call in the end."""
    parts = list(cells)
    left = {node.name: node for source in helpers for node in _definitions(source)}
    for part in parts:  # grows
        for name in names_used(parsed(part)) & set(left):
            parts.append(ast.unparse(left.pop(name)))
    return "\n".join(parts)


def _definitions(source: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node for node in parsed(source).body if isinstance(node, kinds)]
