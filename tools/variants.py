"""Runs right and wrong answers of every task and compares the results with their tables.

    python -m tools.variants [ASSIGNMENT] [TASK] [VARIANT]

A variant replaces one solution cell; all other tasks hold the reference solution.  Only the test
cells of the changed task, and of the tasks that depend on it, run.  `expect.yml` says what each
wrong answer loses and what the message must say:

    wrong_mean_over_batch: {fails: [test_bn_train, hidden_bn_state], says: "over the batch"}
    wrong_slow: {partial: {hidden_bn_speed: 0.5}, says: "a loop"}

Further keys of a table: `library: NAME` or `library: none` (the counterpart in `companion`, where
the names do not show it), `open_ended: REASON` and `mutants: N` (read by `tools.mutate`), and
`stored: REASON`: the answers of the task take so long that `make test` runs a random few of them.
That all are as tabled is stored in `ran.json`, with a hash over what decides it, whenever this
command has run them all; `make test-full ONLY=variants` does so again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import inspect
import json
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from companion.grading import canaries
from companion.grading.rebuild import handed_out, read_source
from tools._assignment import Assignment, Cell, docstring_of, pick
from tools._runner import Job, Report, Runner, modules_imported

SETTINGS = frozenset({"library", "open_ended", "mutants", "stored"})
PASTED = "wrong_pasted_library"
BEHAVED_CATEGORIES_EXCLUDE = frozenset({"shape", "dtype", "type"})
SECONDS = 180.0  # for one cell; the slowest, which trains, takes a sixth of it
MIN_RIGHT, MIN_WRONG, MIN_AGREE_WITH_EXAMPLE = 2, 5, 3


@dataclass(frozen=True)
class Result:
    """One variant: what ran, and every way in which it differs from its table."""

    task: str
    variant: str
    report: Report
    expected: Mapping[str, float]
    problems: tuple[str, ...] = ()


@dataclass
class TaskReport:
    """All variants of a task, and the rules that the set of them breaks."""

    assignment: str
    task: str
    results: list[Result] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.problems and not any(result.problems for result in self.results)


def job_for(
    assignment: Assignment,
    answers: Mapping[str, str] | None = None,
    *,
    tests: Iterable[str] | None = None,
    seconds: float = SECONDS,
    example: str = "",
    stop_at_failure: bool = False,
) -> Job:
    """The notebook in its order, with `answers` (task -> source) in place of reference solutions.

    `tests` names the tasks whose test cells run; all by default.
    """
    wanted = set(assignment.tasks if tests is None else tests)
    cells = tuple(
        cell for cell in assignment.cells
        if cell.kind in ("setup", "solution")
        or (cell.kind == "test" and assignment.owner(cell) in wanted)
    )  # fmt: skip
    return Job(cells, dict(answers or {}), seconds, example, stop_at_failure)


def full_points(assignment: Assignment, tasks: Iterable[str]) -> dict[str, float]:
    """Points of every test cell of the given tasks."""
    return {cell.name: cell.points for name in tasks for cell in assignment.tasks[name].tests}


def predicted(assignment: Assignment, task: str, variant: str) -> dict[str, float]:
    """Points that the table gives a variant, for each test cell of the task and its dependents.

    Raises ValueError where the table names a test cell that would not run.
    """
    points = full_points(assignment, assignment.dependents(task))
    entry = assignment.expectations(task).get(variant) or {}
    losses = dict.fromkeys(entry.get("fails", []), 0.0) | dict(entry.get("partial", {}))
    unknown = sorted(set(losses) - set(points))
    if unknown:
        raise ValueError(
            f"{task}/expect.yml: {variant} names {', '.join(unknown)}, which is no test cell of "
            f"{task} or of a task that uses it; there is: {', '.join(points)}"
        )
    return points | losses


def run_task(assignment: Assignment, task: str, runner: Runner, *, only: str | None = None,
             seconds: float = SECONDS) -> TaskReport:  # fmt: skip
    """Runs every variant of a task (or `only` one) and the rules that hold for the whole set."""
    paths = [p for p in assignment.sources(task) if only in (None, p.stem)]
    reached = assignment.dependents(task)
    example = docstring_of(assignment.tasks[task].solution.source)
    example = example if ">>>" in example else ""
    futures = [
        runner.submit(
            job_for(assignment, {task: path.read_text(encoding="utf-8")}, tests=reached,
                    seconds=seconds, example=example)
        )
        for path in paths
    ]  # fmt: skip
    report = TaskReport(assignment.name, task)
    for path, future in zip(paths, futures, strict=True):
        report.results.append(_compare(assignment, task, path, future.result()))
    if only is None:
        report.problems += _rules_of_set(assignment, task, report.results)
    return report


def _compare(assignment: Assignment, task: str, path: Path, report: Report) -> Result:
    name = path.stem
    problems = []
    table = assignment.expectations(task)
    try:
        expected = predicted(assignment, task, name)
    except ValueError as error:
        return Result(task, name, report, {}, (str(error),))
    is_right = name.startswith("right_")
    full = full_points(assignment, assignment.dependents(task))
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    if not (first.startswith("#") and len(first.strip("# ")) >= 3):
        problems.append("its first line is no comment that names the algorithm or misconception")
    if is_right and expected != full:
        problems.append("expect.yml takes points from a right answer")
    if not is_right and name not in table:
        problems.append("expect.yml has no entry for it")
    for cell, message in report.broken.items():
        problems.append(f"cell {cell} raised {_short(message)}")
    for cell, points in expected.items():
        outcome = report.outcomes[cell]
        if outcome.points != points:
            said = f": {_short(outcome.message)}" if outcome.message else ""
            problems.append(
                f"{cell} gave {outcome.points:g} of {full[cell]:g} points "
                f"({outcome.status}), the table says {points:g}{said}"
            )
        if canaries.leaks(outcome.hint, read_source(assignment.path)):
            problems.append(f"the feedback on {cell} would be refused: write its hint as `hint=…` "
                            f"or pass it to a function by position: {outcome.hint!r}")  # fmt: skip
        if outcome.status in ("error", "crash", "timeout", "not attempted"):
            problems.append(f"{cell} was stopped by no check ({outcome.status}): "
                            f"{_short(outcome.message)}")  # fmt: skip
    if is_right:
        if report.example is False:
            problems.append("it disagrees with the example of the docstring")
        return Result(task, name, report, expected, tuple(problems))
    own = [cell.name for cell in assignment.tasks[task].tests]
    if not any(report.outcomes[cell].status == "passed" for cell in own):
        problems.append("it passes no test of its task; a wrong answer must pass at least one")
    if all(outcome.status == "passed" for outcome in report.outcomes.values()):
        problems.append("it loses nothing")
    said = "\n".join(
        outcome.message for outcome in report.outcomes.values() if outcome.status != "passed"
    )
    phrases = (table.get(name) or {}).get("says") or []
    phrases = [phrases] if isinstance(phrases, str) else phrases
    if not phrases:
        problems.append("expect.yml does not say what its message must say (`says`)")
    problems += [f"no message says {phrase!r}" for phrase in phrases if phrase not in said]
    return Result(task, name, report, expected, tuple(problems))


def _rules_of_set(assignment: Assignment, task: str, results: Sequence[Result]) -> list[str]:
    right = [r for r in results if r.variant.startswith("right_")]
    wrong = [r for r in results if r.variant.startswith("wrong_")]
    problems = []
    if len(right) < MIN_RIGHT:
        problems.append(f"{len(right)} right variants, expected at least {MIN_RIGHT}")
    behaved = [r for r in wrong if is_behaved(r.report)]
    if len(behaved) < MIN_WRONG:
        problems.append(
            f"{len(behaved)} wrong variants of right shape and dtype that do not crash "
            f"({len(wrong)} in all), expected at least {MIN_WRONG}"
        )
    agree = [r for r in wrong if r.report.example]
    if not any(r.report.example is not None for r in results):
        problems.append("the docstring has no `>>>` example")
    elif len(agree) < MIN_AGREE_WITH_EXAMPLE:
        problems.append(
            f"{len(agree)} wrong variants agree with the docstring's example, "
            f"expected at least {MIN_AGREE_WITH_EXAMPLE}"
        )
    counterpart = library_counterpart(assignment, task)
    if counterpart and PASTED not in {r.variant for r in results}:
        problems.append(f"companion has {counterpart}, but there is no {PASTED}.py")
    present = {path.stem for path in assignment.sources(task)} | SETTINGS
    for name in assignment.expectations(task):
        if name not in present:
            problems.append(f"expect.yml names {name}, but there is no {name}.py")
    return problems


def is_behaved(report: Report) -> bool:
    """Right shape and dtype, and every failure found by a check rather than by a crash."""
    return all(
        outcome.status in ("passed", "partial")
        or (outcome.status == "failed" and outcome.category not in BEHAVED_CATEGORIES_EXCLUDE)
        for outcome in report.outcomes.values()
    )


def library_counterpart(assignment: Assignment, task: str) -> str | None:
    """Public name in the chapter's module that a task resembles; `library` in its table wins."""
    table = assignment.expectations(task)
    if "library" in table:
        declared = table["library"]
        return None if declared in (None, "none") else str(declared)
    chapter = assignment.name.split("_", 1)[-1]
    try:
        module = importlib.import_module(f"companion.{chapter}")
    except ModuleNotFoundError:
        return None
    names = [
        name for name, value in vars(module).items()
        if not name.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith(f"companion.{chapter}")
    ]  # fmt: skip
    wanted = {_plain(task)} | {_plain(n) for n in assignment.tasks[task].solution.defines}
    for name in names:
        if any(_plain(name) in w for w in wanted):
            return name
    return None


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def check_reference(assignment: Assignment, runner: Runner) -> list[str]:
    """Problems of the reference solutions: each test cell must give its full points."""
    report = runner.run(job_for(assignment, seconds=300))
    problems = [f"{cell} raised {_short(text)}" for cell, text in report.broken.items()]
    for cell, points in full_points(assignment, assignment.tasks).items():
        outcome = report.outcomes[cell]
        if outcome.points != points:
            problems.append(f"{cell} gave {outcome.points:g} of {points:g} points to the "
                            f"reference solution: {_short(outcome.message)}")  # fmt: skip
    return problems


def check_stubs(assignment: Assignment, runner: Runner) -> list[str]:
    """Problems of the stubs: each test cell must say "not attempted", for 0 points."""
    answers = {name: handed_out(task.solution.source) for name, task in assignment.tasks.items()}
    report = runner.run(job_for(assignment, answers, seconds=300))
    problems = []
    for cell, outcome in report.outcomes.items():
        if outcome.status != "not attempted" or outcome.points != 0:
            problems.append(
                f"{cell}: the stub is {outcome.status!r} with {outcome.points:g} points, "
                f"expected 'not attempted' with 0: {_short(outcome.message)}"
            )
    return problems


def covers(assignment: Assignment, task: str) -> str:
    """Hash over what decides how the variants of a task do: cells, tables, answers, library."""
    reached = assignment.dependents(task)
    parts = [cell.source for cell in assignment.cells if cell.kind == "setup"]
    for name in reached:
        entry = assignment.tasks[name]
        parts += [entry.solution.source, *(f"{t.name} {t.points} {t.source}" for t in entry.tests)]
    parts.append(repr(assignment.expectations(task)))
    parts += [f"{p.stem} {p.read_text(encoding='utf-8')}" for p in assignment.sources(task)]
    for name in sorted({"companion.checks", *preload([assignment])}):
        if name.startswith("companion."):
            found = Path(inspect.getfile(importlib.import_module(name)))
            files = sorted(found.parent.glob("*.py")) if found.stem == "__init__" else [found]
            parts += [file.read_text(encoding="utf-8") for file in files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def stored_path(assignment: Assignment, task: str) -> Path:
    return assignment.variants / task / "ran.json"


def is_stored(assignment: Assignment, task: str) -> bool:
    """Whether all variants of a task were as tabled when they last ran, and nothing changed."""
    path = stored_path(assignment, task)
    return path.exists() and json.loads(path.read_text())["covers"] == covers(assignment, task)


def store(report: TaskReport, assignment: Assignment) -> None:
    """Writes down that every variant of a task ran and was as tabled."""
    names = [result.variant for result in report.results]
    stored = {"covers": covers(assignment, report.task), "as_tabled": names}
    text = json.dumps(stored, indent=1) + "\n"
    stored_path(assignment, report.task).write_text(text, encoding="utf-8")


def a_few(assignment: Assignment, task: str, n_wrong: int = 1) -> list[str]:
    """A right variant of a task and `n_wrong` wrong ones, drawn anew each time."""
    names = [path.stem for path in assignment.sources(task)]
    right = [name for name in names if name.startswith("right_")]
    wrong = [name for name in names if name.startswith("wrong_")]
    return [random.choice(right), *random.sample(wrong, n_wrong)]


def preload(assignments: Iterable[Assignment]) -> list[str]:
    """Modules that the setup cells of the assignments import."""
    sources = [c.source for a in assignments for c in a.cells if c.kind == "setup"]
    return modules_imported(sources)


def table_lines(report: TaskReport, assignment: Assignment) -> Iterator[str]:
    """The results of a task as a plain table."""
    cells: list[Cell] = [
        cell for name in assignment.dependents(report.task) for cell in assignment.tasks[name].tests
    ]
    width = max([len(r.variant) for r in report.results] + [10])
    yield f"{report.assignment} / {report.task}   ({', '.join(cell.name for cell in cells)})"
    for result in report.results:
        marks = " ".join(_mark(result, cell) for cell in cells)
        verdict = "as tabled" if not result.problems else "DIFFERS"
        example = {True: "agrees", False: "differs", None: "-"}[result.report.example]
        yield (f"  {result.variant:<{width}}  {marks}  example {example:<7} "
               f"{result.report.seconds:5.2f} s  {verdict}")  # fmt: skip
        yield from (f"      {problem}" for problem in result.problems)
    yield from (f"  ! {problem}" for problem in report.problems)


def _mark(result: Result, cell: Cell) -> str:
    outcome = result.report.outcomes[cell.name]
    letters = {
        "passed": "ok", "failed": "--", "error": "EE", "timeout": "TT", "crash": "XX",
        "not attempted": "na",
    }  # fmt: skip
    return letters.get(outcome.status, f"{outcome.points:g}").ljust(3)


def _short(text: str, limit: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.variants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("assignment", nargs="?")
    parser.add_argument("task", nargs="?")
    parser.add_argument("variant", nargs="?")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit for each cell")
    arguments = parser.parse_args(argv)
    assignments = pick(arguments.assignment)
    holds = True
    with Runner(preload=preload(assignments)) as runner:
        for assignment in assignments:
            if arguments.task not in (None, *assignment.tasks):
                known = ", ".join(assignment.tasks)
                raise SystemExit(f"{assignment.name} has no task {arguments.task}; it has: {known}")
            if arguments.task is None:
                for problem in [*check_reference(assignment, runner),
                                *check_stubs(assignment, runner)]:  # fmt: skip
                    print(f"  ! {problem}")
                    holds = False
            for task in [arguments.task] if arguments.task else assignment.tasks:
                report = run_task(assignment, task, runner, only=arguments.variant,
                                  seconds=arguments.seconds)  # fmt: skip
                if arguments.variant and not report.results:
                    raise SystemExit(
                        f"no variant {arguments.variant} in {assignment.variants / task}"
                    )
                print("\n".join(table_lines(report, assignment)), flush=True)
                holds = holds and report.holds
                is_whole = report.holds and not arguments.variant
                if is_whole and "stored" in assignment.expectations(task):
                    store(report, assignment)
    print("every variant as tabled" if holds else "some variants differ from their tables")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
