"""Names of queues and tasks: what the sending and the working side agree on."""

from __future__ import annotations

INDEXING = "mess.indexing"
LOOKUPS = "mess.lookups"
MAINTENANCE = "mess.maintenance"

INDEX_FILE = "mess.index_file"
REFIT = "mess.refit"
SWITCH = "mess.switch"
DUPLICATES = "mess.duplicates"

PRIORITY_STEPS = (
    0,
    3,
    6,
    9,
)  # 0 is taken first; new files have 3, files heard again 6, another encoder 9
