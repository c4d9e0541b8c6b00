"""nbgrader's settings for this course: authoring in solutions/, release in assignments/."""

import os
import sys
from pathlib import Path

root = Path(__file__).resolve().parent
grading = root / "build" / "grading"  # everything nbgrader writes, the gradebook included
grading.mkdir(parents=True, exist_ok=True)

# nbgrader starts alembic by name, which PATH does not hold where no environment is activated.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])

c = get_config()  # noqa: F821  (nbgrader puts the name here)

c.CourseDirectory.course_id = "learning-is-compression"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.CourseDirectory.submitted_directory = "build/grading/submitted"
c.CourseDirectory.autograded_directory = "build/grading/autograded"
c.CourseDirectory.feedback_directory = "build/grading/feedback"
c.CourseDirectory.solution_directory = "build/grading/solution"
c.CourseDirectory.source_with_tests_directory = "build/grading/source_with_tests"
# A second process waits up to a minute for the gradebook instead of failing at once.
c.CourseDirectory.db_url = f"sqlite:///{grading / 'gradebook.db'}?timeout=60"

# Where `companion submit` puts a notebook; point it at a class's shared folder.
c.Exchange.root = str(root / "work" / ".companion" / "exchange")

c.ClearSolutions.code_stub = {"python": "raise NotAttempted()"}

# A deleted test cell comes back before grading.
c.OverwriteCells.add_missing_cells = True

# Seconds a cell may take; the slowest task trains for about eight on one idle core.
c.Execute.timeout = 120
c.Execute.interrupt_on_timeout = True

# nbgrader scores a test cell 0 when anything stands on stderr, and torch warns a lot.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = "."

# Submissions run in a sandbox, and their points are decided outside of it.
c.Autograde.pre_convert_hook = "companion.grading.bridge.clear_submission"
c.Autograde.exporter_class = "companion.grading.bridge.SubmissionExporter"
c.Autograde.sanitize_preprocessors = ["nbgrader.preprocessors.CheckCellMetadata"]
c.Autograde.autograde_preprocessors = [
    "companion.grading.bridge.GradeOutside",
    "companion.grading.bridge.SaveVerified",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.exporter_class = "companion.grading.bridge.FeedbackExporter"
c.GenerateFeedback.preprocessors = []  # the page is made from the result
# What students write in Markdown cells is shown in the formgrader, where it could run scripts.
c.HTMLExporter.filters = {"markdown2html": "companion.grading.bridge.safe_markdown"}
