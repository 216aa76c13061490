"""Print the newest Python of this machine that is newer than the running one, if there is one.

Looked for on the PATH and among the versions of pyenv, whose commands on the PATH may be switched off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CANDIDATES = range(sys.version_info.minor + 1, 30)
SHOW = "import sys, venv, ensurepip; print('.'.join(map(str, sys.version_info[:2])))"


def works(program: str, minor: int) -> bool:
    """Whether it is the Python that its name says, and can make environments."""
    done = subprocess.run([program, "-c", SHOW], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == f"3.{minor}"


def main() -> None:
    """Print it."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in reversed(CANDIDATES):
        found = [shutil.which(f"python3.{minor}")]
        found += map(str, sorted(versions.glob(f"3.{minor}.*/bin/python3"), reverse=True))
        for program in filter(None, found):
            if works(program, minor):
                sys.stdout.write(f"{program}\n")
                return


if __name__ == "__main__":
    main()
