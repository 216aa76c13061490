"""Between the ledger and the broker: whatever is due has a message, and never too many at once.

The ledger is the truth and the broker is transport. Each call looks at both, so that it does not
matter what became of the messages of the call before: a worker that died, a broker that was wiped,
a message that was lost or came twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mess_plugin.errors import ServiceError
from mess_plugin.store import Store
from mess_plugin.store.dispatch import Due
from mess_workers.broker import Held, Queue

IN_FLIGHT = 200  # messages in the broker at a time; all other work waits in the ledger
_ON_ITS_WAY_S = 3.0  # a message this young may not have arrived yet
_TAKEN_UP_S = 30.0  # a worker that took a message begins its job well within this


def send_due(store: Store, queue: Queue, *, limit: int = IN_FLIGHT) -> int:
    """Recover what died, send again what was lost, and send what is due. Returns how many were sent.

    Any number of processes may call this at any time; one works, the others return at once. limit:
    at most so many messages are under way. Raises ServiceError where the broker does not answer.
    """
    with store.dispatch.exclusive_lock() as chosen:
        if not chosen:
            return 0
        store.jobs.recover()
        sent = store.dispatch.sent()
        if sent:
            gone = lost(sent, queue.held())
            store.dispatch.unsend(gone)
            sent = {job_id: age_s for job_id, age_s in sent.items() if job_id not in set(gone)}
        due = store.dispatch.claim(limit - len(sent)) if len(sent) < limit else []
    if due:
        _send(store, queue, due)
    return len(due)


def lost(sent: Mapping[int, float], held: Held) -> list[int]:
    """Jobs (id → age of their message in seconds) whose message nobody will ever take up."""
    return [
        job_id
        for job_id, age_s in sent.items()
        if job_id not in held.waiting
        and age_s > (_TAKEN_UP_S if job_id in held.taken else _ON_ITS_WAY_S)
    ]


def _send(store: Store, queue: Queue, due: Sequence[Due]) -> None:
    try:
        queue.send(due)
    except ServiceError:
        store.dispatch.unsend([job.job_id for job in due])
        raise
