"""The attacks, one file for each class of the threat model."""

from dataclasses import replace

from tests.attacks.cases import (
    dishonest,
    forging,
    outside,
    reading,
    resources,
    shadows,
    tampering,
    wire,
)

CLASSES = (forging, tampering, dishonest, reading, outside, resources, shadows, wire)
CASES = [replace(case, group=module.GROUP) for module in CLASSES for case in module.CASES]
