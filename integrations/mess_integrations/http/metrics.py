"""Numbers for Prometheus: the queue and its pace from the ledger, our own answers as they happen."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mess_plugin.errors import MessError
from mess_plugin.store import Store

if TYPE_CHECKING:
    from mess_plugin.store.pool import StorePool

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class HttpMetrics:
    """All metrics of one service."""

    def __init__(self, stores: StorePool) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Ledger(stores))
        self.query_s = Histogram(
            "mess_query_seconds",
            "Time to answer a question",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.requests = Counter(
            "mess_requests", "Requests by path and status", ["path", "status"],
            registry=self._registry,
        )  # fmt: skip

    def text(self) -> str:
        """All of them in the text format of Prometheus."""
        return generate_latest(self._registry).decode()


class _Ledger(Collector):
    """What the database knows, asked for when somebody looks."""

    def __init__(self, stores: StorePool) -> None:
        self._stores = stores

    def describe(self) -> Iterable[Metric]:
        """Nothing: so that registering does not ask the database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Gauges of the moment; only `mess_up` 0 where the database is away."""
        up = GaugeMetricFamily("mess_up", "Whether the database answers")
        try:
            with self._stores.use() as store:
                families = list(_gauges(store))
        except MessError:
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *families]


def _gauges(store: Store) -> Iterable[Metric]:
    n_tracks, n_files, hours = store.library.count()
    for name, text, value in (
        ("mess_tracks", "Tracks that can be found", n_tracks),
        ("mess_files", "Files of these tracks", n_files),
        ("mess_music_hours", "Hours of music", hours),
        (
            "mess_missed_files",
            "Files that vanished and are not forgotten",
            store.files.count_missing(),
        ),
        (
            "mess_sent_jobs",
            "Jobs in the broker that no worker has begun",
            len(store.dispatch.sent()),
        ),
        ("mess_workers", "Workers that live", len(store.workers.all())),
    ):
        family = GaugeMetricFamily(name, text)
        family.add_metric([], value)
        yield family
    jobs = GaugeMetricFamily("mess_jobs", "Jobs by state", labels=["recipe", "state"])
    for recipe, states in store.jobs.count_jobs().items():
        for state in ("wanted", "running", "done", "failed"):
            jobs.add_metric([recipe, state], states.get(state, 0))
    yield jobs
    failures = GaugeMetricFamily("mess_failures", "Failed jobs by kind", labels=["kind"])
    for kind, count in store.dispatch.failures().items():
        failures.add_metric([kind], count)
    yield failures
    yield from _pace(store)
    failing = GaugeMetricFamily(
        "mess_service_failing",
        "Whether a background service keeps failing or restarting",
        labels=["service", "host"],
    )
    starts = GaugeMetricFamily(
        "mess_service_starts",
        "Starts in a row without an orderly end between",
        labels=["service", "host"],
    )
    for health in store.health.all():
        failing.add_metric([health.service, health.host], float(health.is_failing))
        starts.add_metric([health.service, health.host], health.n_starts)
    yield failing
    yield starts
    roots = GaugeMetricFamily("mess_roots", "Watched folders by state", labels=["state"])
    for state, count in Counts(root.state for root in store.roots.all()).items():
        roots.add_metric([state], count)
    yield roots
    events = GaugeMetricFamily(
        "mess_events", "Messages that wait or were ignored", labels=["state", "source", "kind"]
    )
    for state, source, kind, count in store.inbox.counts():
        events.add_metric([state, source, kind], count)
    yield events


def _pace(store: Store) -> Iterable[Metric]:
    pace = store.dispatch.pace()
    rate = GaugeMetricFamily("mess_tracks_per_second", "Jobs finished a second, last minute")
    rate.add_metric([], pace.jobs_per_s)
    yield rate
    latency = GaugeMetricFamily(
        "mess_event_to_searchable_seconds",
        "From the last event of a file to being searchable, last hour",
        labels=["quantile"],
    )
    for quantile, seconds in (("0.5", pace.median_s), ("0.95", pace.late_s)):
        if seconds is not None:
            latency.add_metric([quantile], seconds)
    yield latency
