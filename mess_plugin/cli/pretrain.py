"""`mess pretrain`: the recipe of `mess_plugin.pretraining`, where torch is installed."""

from __future__ import annotations

import importlib.util

from mess_plugin.errors import UsageError

if importlib.util.find_spec("torch") is None:
    raise UsageError("`mess pretrain` needs torch: pip install 'mess-plugin[pretrain]'")

from mess_plugin.pretraining.__main__ import main as pretrain

__all__ = ["pretrain"]
