"""Gives hidden tests other random numbers than those that are written in them."""

from __future__ import annotations

import ast

SEEDERS = frozenset({"manual_seed", "seed", "seed_everything", "default_rng", "RandomState"})


class Reseed(ast.NodeTransformer):
    """Adds `offset` to every literal seed: `manual_seed(3)`, `draw_mnist1d(500, seed=7)`."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else None
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in SEEDERS and node.args:
            node.args[0] = self._shifted(node.args[0])
        for keyword in node.keywords:
            if keyword.arg == "seed":
                keyword.value = self._shifted(keyword.value)
        return node

    def _shifted(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return ast.copy_location(ast.Constant(node.value + self.offset), node)
        return node


def reseeded(tree: ast.Module, offset: int) -> ast.Module:
    """The tree with shifted seeds; the same tree where `offset` is 0."""
    return ast.fix_missing_locations(Reseed(offset).visit(tree)) if offset else tree
