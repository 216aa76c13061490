"""`python -m mess_integrations.http`: the service as `mess up` keeps it running."""

from __future__ import annotations

import sys

from mess_integrations.http.serving import serve_http
from mess_plugin.config import load_settings
from mess_plugin.errors import MessError


def main() -> None:
    """Serve until told to stop."""
    try:
        serve_http(load_settings())
    except MessError as error:
        sys.exit(f"mess: {error}")


if __name__ == "__main__":
    main()
