"""Folders and ports of our own, safe for many tests at once and for tests that are killed.

A folder is held by a lock on a file inside it. The kernel lets the lock go with the process, however
that ends, so the next test sweeps away what a killed one left behind.
"""

import fcntl
import os
import random
import shutil
import socket
import tempfile

PREFIX = "pstest-"
LOCK = ".lock"
PORTS = (20000, 30000)  # below the range that the kernel takes outgoing ports from
LONGEST_BASE = 60       # a socket's path has room for 107 bytes


def base():
    """The folder for temporary folders; /tmp if the usual one makes socket paths too long."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= LONGEST_BASE else "/tmp"


def try_lock(path):
    """An open file that holds the lock, or None if somebody else does."""
    handle = open(path, "a", encoding="ascii")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def sweep():
    """Removes folders whose holders are gone. A folder without its lock file yet is being made."""
    with os.scandir(base()) as found:
        entries = list(found)
    for entry in entries:
        if not entry.name.startswith(PREFIX):
            continue
        lock = os.path.join(entry.path, LOCK)
        try:  # its holder may be removing it at this very moment
            mine = entry.is_dir(follow_symlinks=False) and \
                entry.stat(follow_symlinks=False).st_uid == os.geteuid() and os.path.exists(lock)
            handle = try_lock(lock) if mine else None
        except OSError:
            continue
        if handle:
            shutil.rmtree(entry.path, ignore_errors=True)
            handle.close()


class Scratch:
    """A folder that is removed by close(), or by somebody's sweep() if this process is killed."""

    def __init__(self, name):
        sweep()
        self.path = tempfile.mkdtemp(prefix=f"{PREFIX}{name}-", dir=base())
        new = os.path.join(self.path, LOCK + ".new")
        self._lock = try_lock(new)
        os.rename(new, os.path.join(self.path, LOCK))  # under this name it is locked already

    def close(self):
        if self._lock:
            shutil.rmtree(self.path, ignore_errors=True)
            self._lock.close()
            self._lock = None


def private_cache(name):
    """A folder of this user's that outlives the test, or None if its name is taken by others."""
    path = os.path.join(base(), f"purchase-sync-{name}-{os.geteuid()}")
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    state = os.lstat(path)
    ours = state.st_uid == os.geteuid() and (state.st_mode & 0o777) == 0o700
    return path if ours and os.path.isdir(path) and not os.path.islink(path) else None


class Ports:
    """Loopback ports that no other test of this user takes while they are held."""

    def __init__(self):
        self._locks = []

    def take(self):
        folder = private_cache("ports")
        for port in random.sample(range(*PORTS), 200):
            lock = try_lock(os.path.join(folder, str(port))) if folder else None
            if (lock or not folder) and self._free(port):
                self._locks.append(lock)
                return port
            if lock:
                lock.close()
        raise RuntimeError("no free port")

    @staticmethod
    def _free(port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
        return True

    def close(self):
        for lock in self._locks:
            if lock:
                lock.close()
        self._locks = []
