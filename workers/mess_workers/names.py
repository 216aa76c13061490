"""Names of queues and tasks: what the sending and the working side agree on."""

from __future__ import annotations

INDEXING = "mess.indexing"
LOOKUPS = "mess.lookups"
MAINTENANCE = "mess.maintenance"

INDEX_FILE = "mess.index_file"
REFIT = "mess.refit"
