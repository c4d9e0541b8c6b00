"""Attacks gain nothing, read nothing and harm nobody; each works where its defence is missing.

`make test` uses the best tier of this machine, `make test-full` every usable one but "none".
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import pytest

from companion.grading import checker, feedback, results, sandbox
from companion.grading.clean import rebuilt_notebook
from companion.grading.rebuild import rebuild
from companion.grading.submission import read_notebook
from tests.attacks.bank import QUESTIONS, TARGET, TESTS, Case, source
from tests.attacks.cases import CASES
from tests.attacks.lab import CANARIES, grade, text_of

pytestmark = pytest.mark.slow
SAFE_TIERS = [tier for tier in sandbox.TIERS if tier != "none"]
NEIGHBOUR_SECONDS = 20.0  # a right answer takes about two on one core of a busy machine
count: Counter[str] = Counter()

by_name = {"argvalues": CASES, "ids": [case.name for case in CASES]}


@pytest.fixture(scope="module", autouse=True)
def summary(request):
    yield
    said = ", ".join(f"{count[what]} {what}" for what in (
        "attacks", "points gained", "secrets read", "neighbours harmed"))  # fmt: skip
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{said}")


@pytest.mark.parametrize("case", **by_name)
def test_attack_fails(case, lab, worker_of):
    _attack(case, lab, worker_of(sandbox.best()))


@pytest.mark.full
@pytest.mark.parametrize("tier", SAFE_TIERS)
@pytest.mark.parametrize("case", **by_name)
def test_attack_fails_in_every_tier(case, tier, lab, worker_of):
    worker = worker_of(tier)
    if tier not in case.known:
        _attack(case, lab, worker)
        return
    with pytest.raises(AssertionError):  # the reason would be out of date otherwise
        _attack(case, lab, worker)
    pytest.xfail(case.known[tier])


def _attack(case: Case, lab, worker) -> None:
    count["attacks"] += 1
    lab.damage()
    for _ in range(1 + case.twice):
        folder = lab.hand_in(case)
        result = grade(worker, folder, test_seconds=case.test_seconds,
                       cell_seconds=case.test_seconds, seed=case.seed,
                       submission_seconds=case.submission_seconds)  # fmt: skip
    said = {cell.grade_id: (cell.status, cell.points, cell.message, cell.details)
            for cell in result.cells}  # fmt: skip
    points = result.points()
    gained = sum(
        points[hidden] + (0 if case.visible_counts else points[visible])
        for visible, hidden in (TESTS[name] for name in case.questions)
    )
    count["points gained"] += gained
    secrets = _secrets(case, result, folder)
    count["secrets read"] += len(secrets)
    damage = lab.damage()
    neighbour = _neighbour(lab, worker) if case.takes == "harm" or damage else []
    count["neighbours harmed"] += bool(neighbour or damage)
    assert gained == 0, said
    assert not secrets, (secrets, said)
    assert not damage, damage
    assert not neighbour, neighbour
    assert result.status == results.OK, (result.status, result.message)
    for name in case.questions:
        status = said[TESTS[name][1]][0]
        assert status in case.statuses or (not case.statuses and status != results.OK), said
        status = said[TESTS[name][0]][0]
        assert status in case.visible_statuses or not case.visible_statuses, said
    if case.spares_others:
        for name in set(QUESTIONS) - set(case.questions):
            assert all(said[test][0] == results.OK for test in TESTS[name]), said


def _secrets(case: Case, result, folder) -> list[str]:
    """Canaries in the result, and words of hidden tests in what the student reads."""
    found = [canary for canary in CANARIES if canary in text_of(result)]
    plan = rebuild("target", source(), read_notebook(folder / TARGET.name))
    pages = [
        page(result, rebuilt_notebook(TARGET, plan), feedback.Book())
        for page in (feedback.html_page, feedback.markdown)
    ]
    for page in pages:
        assert "<script" not in page.lower()
        found += [canary for canary in CANARIES if canary in page]
        if case.takes == "secret" and case.secret and case.secret in page:
            found.append(case.secret)
    return found


def _neighbour(lab, worker) -> list[str]:
    """What went wrong with a right answer that is graded next."""
    folder = lab.hand_in(Case("neighbour", "", "", ""))
    start = time.monotonic()
    result = grade(worker, folder)
    seconds = time.monotonic() - start
    found = [f"{cell.grade_id} {cell.status}" for cell in result.cells if cell.status != "ok"]
    return found + [f"took {seconds:.0f} s"] * (seconds > NEIGHBOUR_SECONDS)


# Each attack works where its defence is missing.


@pytest.mark.full
@pytest.mark.parametrize("case", **by_name)
def test_attack_works_without_its_defence(case, lab, worker_of, monkeypatch):
    if case.shown_by == "stock":
        assert _works_in_stock(case, lab)
    else:
        WEAKENED[case.shown_by](case, lab, worker_of, monkeypatch)


def _works_in_stock(case: Case, lab) -> bool:
    """Whether the attack succeeds in one interpreter that scores as nbgrader does."""
    lab.damage()
    for _ in range(1 + case.twice):
        run = lab.stock(case)
    damage = lab.damage()
    if case.takes == "points":
        return all(run.points.get(TESTS[name][1]) == 2.0 for name in case.questions)
    if case.takes == "secret":
        return any(word and word in run.shown for word in (*CANARIES, case.secret))
    others = [run.points.get(test) for name in set(QUESTIONS) - set(case.questions)
              for test in TESTS[name]]  # fmt: skip
    return bool(damage or not run.ended or run.n_left or run.killed_victim or 0.0 in others)


def _in_a_cold_start(case: Case, lab, *_) -> None:
    """An interpreter that starts in the submission's folder, as a kernel does."""
    lab.damage()
    folder = lab.hand_in(case)
    subprocess.run([sys.executable, "-c", "import random"], cwd=folder, check=False)
    assert lab.damage()


def _in_the_visible_test(case: Case, lab, worker_of, _) -> None:
    result = grade(worker_of(sandbox.best()), lab.hand_in(case), test_seconds=case.test_seconds)
    assert result.points()["test_runs"] == 1.0, result.cells


def _in_its_visible_tests(case: Case, lab, *_) -> None:
    run = lab.stock(case)
    assert all(run.points[TESTS[name][0]] == 1.0 for name in case.questions)


def _with_an_honest_frame(case: Case, lab, worker_of, _) -> None:
    """What the same code sends counts as the answer, so that only its content stops it."""
    text = re.sub(r"    send\(.*\)\n", "    send(value(HONEST))\n", case.answers["runs"])
    assert text != case.answers["runs"]
    honest = replace(case, answers={"runs": text})
    result = grade(worker_of(sandbox.best()), lab.hand_in(honest), test_seconds=1.0)
    assert result.points()["test_runs"] == 1.0, result.cells


def _without_a_guard(case: Case, lab, worker_of, monkeypatch) -> None:
    """A checker that does not expect odd replies fails, and the submission stays ungraded."""
    monkeypatch.setattr(checker, "hostile", contextlib.nullcontext)
    worker = worker_of(sandbox.best())
    worker.end_judge()  # the next one is forked from here
    result = grade(worker, lab.hand_in(case), test_seconds=2.0)
    assert result.status == results.INFRASTRUCTURE


def _without_a_second_try(case: Case, lab, worker_of, monkeypatch) -> None:
    """Where a lost test is not asked again, the process costs questions that are not its own."""

    def asked_once(self, question, test, seed, start):
        try:
            if not self.is_running:
                self._begin(question, seed)
            return self._test(question, test, start)
        except checker.Lost as error:
            error.in_test = True
            self._recover(error)
            raise

    monkeypatch.setattr(checker.Checker, "_asked", asked_once)
    worker = worker_of(sandbox.best())
    worker.end_judge()  # the next one is forked from here
    result = grade(worker, lab.hand_in(case), test_seconds=case.test_seconds)
    worker.end_judge()
    others = {cell.status for cell in result.cells if cell.question not in case.questions}
    assert others != {results.OK}, result.cells


def _in_tier_none(case: Case, lab, worker_of, _) -> None:
    result = grade(worker_of("none"), lab.hand_in(case), test_seconds=2.0)
    assert any(case.secret in cell.details for cell in result.cells), result.cells


WEAKENED = {
    "an honest frame": _with_an_honest_frame,
    "no guard": _without_a_guard,
    "no second try": _without_a_second_try,
    "the visible test": _in_the_visible_test,
    "tier none": _in_tier_none,
    "a cold start": _in_a_cold_start,
    "its visible tests": _in_its_visible_tests,
}
