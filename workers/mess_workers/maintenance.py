"""`python -m mess_workers.maintenance`: a worker for everything but files.

Fitting a projection takes a while and must neither wait behind ten thousand files nor hold them up.
"""

from __future__ import annotations

import mess_workers.__main__ as worker
from mess_workers.task_names import LOOKUPS, MAINTENANCE

if __name__ == "__main__":
    worker.main((LOOKUPS, MAINTENANCE), jobs=1)
