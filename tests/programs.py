"""Programs of the operating system that tests run."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, package: str) -> str:
    """The path of a program. Where it is missing the test is skipped, and fails in CI."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        left_out(f"{name} is not installed (Debian package {package})")
    return found


def left_out(reason: str) -> NoReturn:
    """Skip the test, with the reason in the summary; in CI, where nothing may be missing, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
