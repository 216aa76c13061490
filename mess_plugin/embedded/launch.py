"""Starting a child that cannot outlive the supervisor, as a user that Postgres accepts.

Postgres refuses root and users without a passwd entry. Root and such users get a user namespace in
which the server believes to be an ordinary account while the kernel, and so every file, still sees
the real owner: no account is made, no permission is widened. Where namespaces are refused (some
containers), root steps down to an unprivileged account instead, and the cluster becomes its own.

Linux only: elsewhere (macOS, where this is unproven) children start plainly, root is refused, and
leftovers of a killed supervisor are found and ended by the next one.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mess_plugin.errors import ServiceError

CLONE_NEWUSER = 0x10000000  # linux/sched.h
PR_SET_PDEATHSIG = 1  # linux/prctl.h
NOBODY = 65534

_libc = ctypes.CDLL(None, use_errno=True)


class Guise(Enum):
    """How a child's user relates to ours."""

    SAME = "same"
    NAMESPACE = "namespace"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SystemAccount:
    """The user a child runs as: `owner_uid` owns its files, `uid` is what it sees."""

    guise: Guise
    uid: int
    gid: int

    @property
    def owner_uid(self) -> int:
        """The uid that files of this account have outside of any namespace."""
        return self.uid if self.guise is Guise.OTHER else os.geteuid()

    @property
    def owner_gid(self) -> int:
        """The gid that files of this account have outside of any namespace."""
        return self.gid if self.guise is Guise.OTHER else os.getegid()


def own_account() -> SystemAccount:
    """Return the account of this very process."""
    return SystemAccount(Guise.SAME, os.geteuid(), os.getegid())


def postgres_account() -> SystemAccount:
    """Return the account that Postgres can run as here; ServiceError when there is none."""
    root = os.geteuid() == 0
    if not root and _has_entry(os.geteuid()):
        return own_account()
    entry = _unprivileged_entry()
    if entry is not None and sys.platform == "linux":
        inside = SystemAccount(Guise.NAMESPACE, entry.pw_uid, entry.pw_gid)
        if _namespaces_work(inside):
            return inside
        if root:
            return SystemAccount(Guise.OTHER, entry.pw_uid, entry.pw_gid)
    who = "root" if root else f"a user without a passwd entry (uid {os.geteuid()})"
    raise ServiceError(
        "Postgres",
        f"does not run as {who} and user namespaces are not available here: "
        "run MESS as an ordinary user",
    )


def start(
    argv: Sequence[str],
    account: SystemAccount,
    *,
    directory: Path,
    environment: Mapping[str, str],
    output: int,
    death_signal: signal.Signals,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session; on Linux our death sends it `death_signal`.

    `output` takes both its stdout and stderr; OSError when it cannot be started.
    """
    other = account.guise is Guise.OTHER
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=output,
        stderr=output,
        cwd=directory,
        env=dict(environment),
        start_new_session=True,
        user=account.uid if other else None,
        group=account.gid if other else None,
        extra_groups=[] if other else None,
        umask=0o077,
        preexec_fn=_preparation(account, death_signal),  # noqa: PLW1509 - we have one thread
    )


def _preparation(account: SystemAccount, death_signal: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    parent = os.getpid()

    def prepare() -> None:
        signal.set_wakeup_fd(-1)
        if account.guise is Guise.NAMESPACE:
            _enter_namespace(account)
        # A change of credentials clears the death signal, so it comes last.
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # we were orphaned before the signal was set
            os._exit(1)

    return prepare


def _enter_namespace(account: SystemAccount) -> None:
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{account.uid} {uid} 1"),
        ("gid_map", f"{account.gid} {gid} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text, "ascii")


def _namespaces_work(account: SystemAccount) -> bool:
    child = os.fork()
    if child == 0:
        try:
            _enter_namespace(account)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _has_entry(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _unprivileged_entry() -> pwd.struct_passwd | None:
    """Any account but root, preferring nobody: the passwd file of a small image may lack it."""
    if _has_entry(NOBODY):
        return pwd.getpwuid(NOBODY)
    return next((entry for entry in pwd.getpwall() if entry.pw_uid != 0), None)
