"""`python -m mess_integrations.osc`: the server as `mess up` runs it, by the settings alone."""

from __future__ import annotations

import sys

from mess_integrations.osc.cli import osc
from mess_plugin.cli.output import say
from mess_plugin.errors import MessError
from mess_plugin.logs import level_wanted, log_messages


def main() -> None:
    """Serve. Exit code 0 once told to stop, otherwise that of the error."""
    try:
        log_messages(level_wanted())
        osc.main(prog_name="mess osc", standalone_mode=False)
    except MessError as error:
        say(f"mess: {error}")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
