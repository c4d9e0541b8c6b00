"""The course's grader: submissions are read, rebuilt from `solutions/`, run in a sandbox, scored.

The student's code runs in a process that never sees a test; the tests run in one that never runs
the student's code; only plain data crosses.
"""
