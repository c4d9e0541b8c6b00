"""For tests: `from calibration import check_budget`; the loop itself is tools/calibration.py."""

from tools.calibration import (
    REFERENCE_SECONDS,
    BudgetWarning,
    calibration_seconds,
    check_budget,
    slowdown,
)

__all__ = [
    "REFERENCE_SECONDS",
    "BudgetWarning",
    "calibration_seconds",
    "check_budget",
    "slowdown",
]
