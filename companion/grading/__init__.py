"""The grader: student code runs in a sandbox, test cells run outside of it.  See README.md."""
