"""Chapter 04: erase and heal, and the alarm desk."""

from companion.explorables.alarm_desk import alarm_desk, compute_alarm_desk
from companion.explorables.erase_and_heal import compute_erase_and_heal, erase_and_heal

__all__ = [
    "alarm_desk",
    "compute_alarm_desk",
    "compute_erase_and_heal",
    "erase_and_heal",
]
