"""The repository on this machine, through GitPython."""

import os

# GitPython looks for git when it is imported, and fails there; we say it when git is first needed (command.py)
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
