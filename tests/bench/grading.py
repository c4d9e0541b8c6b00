"""What one mutant costs: in the grader, and in nbgrader, which runs all cells in one kernel."""

import statistics
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat

from tools import mutate
from tools._assignment import Assignment, load, pick
from tools._runner import Runner
from tools.bench import Entry, Row, Store
from tools.classroom import Student, hand_in
from tools.mutate import Mutant
from tools.release import course_config, generate
from tools.stock import grade_one, nbgrader_processes
from tools.variants import job_for, preload

ASSIGNMENT, TASKS = "02_architecture", ("stack_geometry", "gated_states")
N_MUTANTS = 10  # of each task


def killed_mutants(assignment: Assignment, task: str) -> list[Mutant]:
    """The first mutants that a check of the task notices."""
    fates = mutate.read_stored(assignment)["tasks"][task]["mutants"]
    found = [m for m in mutate.task_mutants(assignment, task) if fates.get(m.id) == "killed"]
    return found[:N_MUTANTS]


def cut(assignment: Assignment, task: str, root: Path) -> Assignment:
    """An assignment below `root` that has the cells which a mutant of `task` runs, and no other."""
    cells = {cell.position for cell in job_for(assignment, tests=[task]).cells}
    notebook = nbformat.read(assignment.path, as_version=4)
    notebook.cells = [cell for i, cell in enumerate(notebook.cells) if i in cells]
    path = root / "solutions" / task / f"{task}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return load(path, variants=root)


def handed_in(assignment: Assignment, task: str, mutant: Mutant, root: Path) -> None:
    """Enters the assignment and one submission into the gradebook of `root`."""
    grading = root / "build" / "grading"
    released = generate(
        assignment.name, course_config(root), release=grading / "release", gradebook=True
    )
    student = Student("sample_mutant", {task: mutant.source}, {})
    hand_in(assignment, student, released, grading / "submitted")


def seconds_of_nbgrader(pool: ProcessPoolExecutor, task: str) -> float:
    graded = pool.submit(grade_one, task, "sample_mutant", feedback=False).result()
    if graded.failure or all(graded.points.values()):
        raise RuntimeError(f"nbgrader did not notice the mutant of {task}: {graded}")
    return graded.seconds


class MutationPath(Entry):
    """Seconds of one mutant, medians over both tasks; the bar is on the ratio.

    Both sides have imported what they need, and each is asked once before the clock runs.
    """

    def run(self, store: Store) -> Row:
        (assignment,) = pick(ASSIGNMENT)
        mutants = {task: killed_mutants(assignment, task) for task in TASKS}
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for task in TASKS:
                handed_in(cut(assignment, task, root), task, mutants[task][0], root)
            with (
                Runner(workers=1, preload=preload([assignment])) as runner,
                nbgrader_processes(root, 1) as pool,
            ):
                runner.run(job_for(assignment, tests=TASKS[:1]))
                seconds_of_nbgrader(pool, TASKS[0])
                ours, peer = [], []
                for task, mutant in self._in_turn(mutants):
                    job = job_for(
                        assignment, {task: mutant.source}, tests=[task], stop_at_failure=True
                    )
                    ours.append(runner.run(job).seconds)
                    if mutant is mutants[task][0]:
                        peer.append(seconds_of_nbgrader(pool, task))
        a, b = statistics.median(ours), statistics.median(peer)
        return self.row(
            a, judged=a / b, peer=b, peer_name="nbgrader autograde, one kernel", ratio=a / b
        )

    @staticmethod
    def _in_turn(mutants: dict[str, list[Mutant]]) -> Iterator[tuple[str, Mutant]]:
        for pair in zip(*mutants.values(), strict=True):
            yield from zip(mutants, pair, strict=True)


ENTRIES = [MutationPath(name="mutation_path", chapter="02", unit="s", bar=0.1, is_long=True)]
