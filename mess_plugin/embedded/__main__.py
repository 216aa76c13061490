"""`python -m mess_plugin.embedded serve HOME`: the supervisor, in the foreground.

Clients start it by themselves, detached and with a lock and a listening socket already open.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mess_plugin.embedded.home import Home
from mess_plugin.embedded.supervisor import serve
from mess_plugin.errors import MessError

USAGE = "usage: python -m mess_plugin.embedded serve HOME"


def main(arguments: list[str]) -> int:
    """Run the supervisor of a home."""
    match arguments:
        case ["serve", home]:
            inherited = None
        case ["serve", home, "--detached", lock, listener]:
            if os.fork() != 0:  # the client waits for this one; the supervisor has no parent
                os._exit(0)
            inherited = int(lock), int(listener)
        case _:
            sys.stderr.write(USAGE + "\n")
            return 2
    try:
        return serve(Home.at(Path(home)), *(inherited or (None, None)))
    except MessError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
