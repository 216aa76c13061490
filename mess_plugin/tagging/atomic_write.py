"""Replaces a file atomically by a checked copy with other tags.

The copy has a hidden name in the same folder and is complete and flushed to disk before it is
renamed over the file, so readers and crashes see either the old or the new file. Mode, owner,
group and extended attributes are preserved; the modification time is not, so that media servers,
backups and MESS notice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mess_plugin import audio
from mess_plugin.errors import AudioError
from mess_plugin.tagging.tag_file import TagFile

Changes = Mapping[str, Sequence[str] | None]
"""Name of a tag → its values, None to take it away."""


def replace_tags(
    path: Path, changes: Changes, identity: str, before_rename: Callable[[], None]
) -> None:
    """Write tags into a file, or leave it exactly as it is.

    identity: of its audio, which the copy must have too. before_rename: called when everything else is
    done and checked, to put on record what the tags were. Raises AudioError, with a reason for people,
    and OSError.
    """
    real = Path(os.path.realpath(path))
    seen = _fit_for_replacing(real)
    with _copy_of(real, seen) as copy:
        before = TagFile(real)
        others = before.others(tuple(changes))
        tag_file = TagFile(copy)
        for name, values in changes.items():
            tag_file.set(name, values)
        tag_file.save()
        _sync(copy)
        _check(real, copy, changes, others, identity)
        before_rename()
        if _shape(real.stat()) != _shape(seen):
            raise _refusal(real, "it changed while its tags were written: run again")
        copy.rename(real)
    _sync(real.parent)


def _fit_for_replacing(real: Path) -> os.stat_result:
    seen = real.stat()
    if not stat.S_ISREG(seen.st_mode):
        raise _refusal(real, "it is no regular file")
    if seen.st_nlink > 1:
        raise _refusal(
            real, f"it has {seen.st_nlink} names (hard links), which a new file would part"
        )
    if not seen.st_mode & 0o222 or not os.access(real, os.W_OK):
        raise _refusal(real, "it is write-protected")
    return seen


@contextmanager
def _copy_of(real: Path, seen: os.stat_result) -> Iterator[Path]:
    """A hidden copy beside a file, ours alone; gone afterwards unless it was renamed."""
    digest = hashlib.blake2b(os.fsencode(real.name), digest_size=8).hexdigest()
    copy = real.with_name(f".mess-{digest}.part{real.suffix}")
    descriptor = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        _take(descriptor, copy, real)
        with real.open("rb") as source, os.fdopen(os.dup(descriptor), "wb") as target:
            target.truncate(0)
            shutil.copyfileobj(source, target, 1 << 20)
        if (seen.st_uid, seen.st_gid) != (os.fstat(descriptor).st_uid, os.fstat(descriptor).st_gid):
            try:
                os.fchown(descriptor, seen.st_uid, seen.st_gid)
            except OSError as error:
                raise _refusal(real, "its owner and group could not be kept") from error
        shutil.copystat(real, copy)
        yield copy
    finally:
        if _is_ours(descriptor, copy):
            copy.unlink(missing_ok=True)
        os.close(descriptor)


def _take(descriptor: int, copy: Path, real: Path) -> None:
    """Lock the copy; what a killed process left is taken over, what a living one holds is not."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise _refusal(real, "another `mess tag` is writing it") from error
    if not _is_ours(descriptor, copy):  # renamed by another one before we had the lock
        raise _refusal(real, "another `mess tag` has just written it: run again")


def _is_ours(descriptor: int, copy: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), copy.lstat())
    except FileNotFoundError:
        return False


def _check(
    real: Path, copy: Path, changes: Changes, others: Mapping[str, bytes], identity: str
) -> None:
    """The copy must hold the same audio, the wanted tags, and all other tags as they were."""
    written = TagFile(copy)
    for name, values in changes.items():
        wanted = None if values is None else tuple(values)
        if written.get(name) != wanted:
            raise _refusal(real, f"the tag {name} cannot be written to it")
    if lost := sorted(
        {*others, *written.others(tuple(changes))}
        - {k for k, v in written.others(tuple(changes)).items() if others.get(k) == v}
    ):
        raise _refusal(real, f"other tags would change ({', '.join(lost[:5])})")
    if audio.identify(copy) != identity:
        raise _refusal(real, "its audio would change")


def _shape(seen: os.stat_result) -> tuple[int, int, int]:
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(path: Path, reason: str) -> AudioError:
    return AudioError(str(path), "unreadable", f"left as it is: {reason}")
