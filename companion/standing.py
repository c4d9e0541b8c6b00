"""What a function needs of its cell to stand alone, and how many bytes of that count.

A decoder is part of what it decodes: weights can be written into its source instead of its file.
`part` cuts a cell down to what one function needs, without comments and docstrings and in one
spelling, so that nothing but this text reaches the process in which the function runs alone.
`size` then counts what of it could hold weights.
"""

from __future__ import annotations

import ast
import symtable
import zlib
from collections.abc import Iterator

FREE_BYTES = 4096  # of source, its literals apart
FREE_PACKED = 1280  # bytes of the same, packed by zlib: what names and structure may tell


def part(source: str, name: str) -> str:
    """The statements of a cell that `name` needs, directly or through others, as plain text.

    Those are imports, functions, classes and variables that it names, and statements that change
    one of them (`table.append(…)`, a loop that fills it).  Comments, docstrings and the author's
    spelling of numbers, strings and lines are gone.  A name that is only put together while the
    code runs, as in `globals()["table"]`, is not found.

    Raises:
        ValueError: the source is no Python, or too intricate.
        LookupError: no statement defines `name`.
    """
    try:
        statements = _Plain().visit(ast.parse(source)).body
        gives = [frozenset(_given(node)) for node in statements]
        uses = [frozenset(_used(node)) for node in statements]
        needed, kept = {name}, set()
        while new := [
            i for i in range(len(gives)) if i not in kept and gives[i] & (needed | {"*"})
        ]:
            kept.update(new)
            needed.update(*(uses[i] for i in new))
        if not any(name in gives[i] for i in kept):
            raise LookupError(f"no statement defines {name!r}")
        body = [statements[i] for i in sorted(kept)]
        return ast.unparse(ast.fix_missing_locations(ast.Module(body, [])))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"the cell of {name} cannot be read: {error}") from None


def size(text: str) -> int:
    """Bytes that count: all literals, and of the rest what goes beyond the free part.

    A literal costs the bytes of its value as text, and one more.  The rest is the source with all
    literals empty.  It is free up to `FREE_BYTES` and up to `FREE_PACKED` when packed by zlib;
    of the two excesses the larger counts.  So all that the source can tell a decoder for
    nothing, by literals, names or structure, fits into `FREE_PACKED` bytes.
    """
    emptied = _Emptied()
    rest = ast.unparse(emptied.visit(ast.parse(text))).encode("utf-8", "surrogatepass")
    packed = len(zlib.compress(rest, 9))
    return emptied.n_bytes + max(0, len(rest) - FREE_BYTES, packed - FREE_PACKED)


class _Plain(ast.NodeTransformer):
    """Takes out statements that are only a constant: docstrings among them."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and not isinstance(node, ast.Module):
            node.body = body or [ast.Pass()]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)


class _Emptied(ast.NodeTransformer):
    """Empties literals, and counts their bytes."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        value = node.value
        if value is None or value is ... or isinstance(value, bool):
            return node
        if isinstance(value, str):
            n_bytes = len(value.encode("utf-8", "surrogatepass"))
        else:
            n_bytes = len(value) if isinstance(value, bytes) else len(repr(value))
        self.n_bytes += n_bytes + 1
        return ast.copy_location(ast.Constant(type(value)()), node)


def _given(node: ast.stmt) -> Iterator[str]:
    """Names that a statement binds or changes; "*" where nobody can say."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
            return
        case ast.Import() | ast.ImportFrom():
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
            return
        case ast.Expr(value=ast.Call(func=ast.Attribute() as method)):
            yield from _roots(method)
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.stmt):
            yield from _given(below)
        elif isinstance(below, ast.ExceptHandler | ast.match_case):
            for statement in below.body:
                yield from _given(statement)
        else:
            for target in ast.walk(below):
                if isinstance(getattr(target, "ctx", None), ast.Store | ast.Del):
                    yield from _roots(target)


def _roots(node: ast.AST) -> Iterator[str]:
    """The name that `a.b[c].d` starts from."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def _used(node: ast.stmt) -> Iterator[str]:
    """Names of the cell that a statement mentions; a function's own variables are none."""
    text = ast.unparse(ast.fix_missing_locations(ast.Module([node], [])))
    tables = [symtable.symtable(text, "<cell>", "exec")]
    for table in tables:  # grows
        tables += table.get_children()
        is_top = table.get_type() == "module"
        yield from (s.get_name() for s in table.get_symbols() if is_top or s.is_global())
