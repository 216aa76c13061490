"""beets' one-line error. It has lived in two modules; `beets.ui` offers it in every version."""

from __future__ import annotations

from beets import ui

UserError: type[Exception] = ui.UserError  # type: ignore[attr-defined]
