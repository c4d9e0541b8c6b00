"""One Chromium and one JupyterLab for each file of browser tests.

Not for longer: Playwright keeps an event loop running in this thread as long as its browser lives.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from driver import BrowserMissing, chromium, find_chromium, jupyter_lab  # noqa: E402


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        find_chromium()
    except BrowserMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def lab(served_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with jupyter_lab(served_folder, tmp_path_factory.mktemp("jupyter")) as address:
        yield address
