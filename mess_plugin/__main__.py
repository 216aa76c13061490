"""`python -m mess_plugin`: the `mess` command of this very environment."""

from mess_plugin.cli import main

if __name__ == "__main__":
    main()
