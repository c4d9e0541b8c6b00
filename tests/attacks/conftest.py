"""Workers and the small course, made once for all attacks."""

from __future__ import annotations

import functools
import os

import pytest

from companion.grading import runtime, sandbox
from companion.grading.worker import Worker
from tests.attacks.lab import ENVIRONMENT, Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    runtime.warm()
    lab = Lab(tmp_path_factory.mktemp("attacks"))
    os.environ["GRADER_TOKEN"] = ENVIRONMENT
    yield lab
    del os.environ["GRADER_TOKEN"]
    lab.close()


@pytest.fixture(scope="session")
def worker_of(lab):
    """The worker of a tier, started at its first use; skips where the machine lacks the tier."""
    started: dict[str, Worker] = {}

    @functools.cache
    def start(tier: str) -> Worker:
        if reason := sandbox.probe()[tier]:
            pytest.skip(f"no {tier} here: {reason}")
        started[tier] = Worker(len(started), tier)
        started[tier].start()
        return started[tier]

    yield start
    for worker in started.values():
        worker.stop()
