"""The `mess` command.

Commands are found by name when they are called, so that starting `mess similar` loads nothing that
it does not need. The packages above the core add theirs through the entry points `mess.commands`.
"""

from mess_plugin.cli.main import main

__all__ = ["main"]
