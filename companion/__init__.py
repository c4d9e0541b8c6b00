"""Companion library of the course *Learning Is Compression*.

Modules are imported when they are first used: `from companion import architecture`.
"""

__version__ = "0.1.0"
