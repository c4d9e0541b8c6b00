"""Chapter 01: the chain-rule scope, and three optimizers in a race."""

from companion.explorables.chain_rule_scope import chain_rule_scope, compute_chain_rule_scope
from companion.explorables.descent_race import compute_descent_race, descent_race

__all__ = [
    "chain_rule_scope",
    "compute_chain_rule_scope",
    "compute_descent_race",
    "descent_race",
]
