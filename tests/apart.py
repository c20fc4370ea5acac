"""Code in a process of its own, for what a process does as it begins, forks and ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_apart(code: str, folder: Path = ROOT, **environment: str) -> str:
    """Run code in a Python of its own that has Django set up, and begins there; returns what it printed."""
    program = f"import django; django.setup()\n{code}"
    done = subprocess.run(  # noqa: S603 - code of the tests
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", program],
        cwd=folder,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout
