"""`python -m mess_integrations.osc`: the server as `mess up` runs it, by the settings alone."""

from __future__ import annotations

import logging
import os
import sys

from mess_integrations.osc.cli import osc
from mess_plugin.cli.output import say
from mess_plugin.errors import MessError


def main() -> None:
    """Serve. Exit code 0 once told to stop, otherwise that of the error."""
    logging.basicConfig(level=os.environ.get("MESS_LOG", "WARNING"), format="%(message)s")
    try:
        osc.main(prog_name="mess osc", standalone_mode=False)
    except MessError as error:
        say(f"mess: {error}")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
