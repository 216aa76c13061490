"""A small real library: samples heard by the real pipeline into a real database."""

from __future__ import annotations

import uuid
from pathlib import Path

import msgspec

from mess_plugin.config import Settings, load_settings
from mess_plugin.library.index import index
from mess_plugin.spaces.recipe import Recipe, load_encoder
from mess_plugin.store import Store
from mess_plugin.store.files import SeenFile

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def settings_for(database_url: str, home: Path) -> Settings:
    """Settings that name the encoder that needs no weights."""
    settings = load_settings({"MESS_HOME": str(home), "MESS_ENCODER": "descriptors"})
    return msgspec.structs.replace(settings, database_url=database_url)


def index_files(store: Store, settings: Settings, files: list[Path]) -> None:
    """Index files in this process, as a worker does."""
    recipe = str(Recipe.of(settings))
    encoder = load_encoder(Recipe.of(settings), settings)
    stats = [(path, path.stat()) for path in files]
    seen = [SeenFile(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    for job_id in store.jobs.enqueue(seen, recipe, uuid.uuid4()).job_ids:
        assert store.jobs.lock(job_id)
        job = store.jobs.start(job_id)
        assert job is not None
        store.jobs.finish(job_id, index(store, job, encoder, limit_s=None).outcome)
        store.jobs.unlock(job_id)
