"""A private MariaDB: its own folder, socket and process, gone with the test.

    with MariaDB() as server:
        name = server.database("shop")
        print(server.sql("SELECT 1", database=name))

What it commits outlives a kill, for the kernel holds it. With `flushes` it is on the disk too, as in operation, which
takes most of a test's time: for tests of just that, and for measurements.

The server refuses to run as root, so root runs it as `nobody`. Tests connect over the socket as
`root` without a password, or as USER with PASSWORD, who may do anything in every database.
"""

import atexit
import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from scratch import Ports, Scratch, private_cache
from waiting import wait_for

USER = "purchase_sync"
PASSWORD = "only-for-tests"
ACCOUNT = "nobody"  # whom root runs the server as
START_DEADLINE = 60
STOP_DEADLINE = 60

SMALL = [
    "--innodb-log-file-size=16M",
    "--innodb-use-native-aio=0",
]
OPTIONS = SMALL + [
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=64M",
    "--innodb-fast-shutdown=1",
    "--performance-schema=OFF",
    "--skip-name-resolve",
    "--max-connections=300",
    "--character-set-server=utf8mb4",
]


def find(program):
    """A program's path; servers often lie in sbin, which is not in everybody's PATH."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/libexec:/sbin")
    if not path:
        raise FileNotFoundError(f"{program} is not installed (Debian: mariadb-server-core)")
    return path


def unprivileged(command):
    """The command as an ordinary user, ended by the kernel if this program is killed."""
    options = ["setpriv", "--pdeathsig", "KILL"]
    if os.geteuid() == 0:
        group = pwd.getpwnam(ACCOUNT).pw_gid
        options += [f"--reuid={ACCOUNT}", f"--regid={group}", "--clear-groups"]
    return options + command


def give_away(path):
    """Makes the account that runs the server the owner of the folder."""
    if os.geteuid() == 0:
        account = pwd.getpwnam(ACCOUNT)
        os.chown(path, account.pw_uid, account.pw_gid)


def install(datadir):
    """A fresh data folder in an empty folder that the server's account owns."""
    done = subprocess.run(
        unprivileged([find("mariadb-install-db"), "--no-defaults", f"--datadir={datadir}",
                      "--auth-root-authentication-method=normal", "--skip-test-db",
                      "--skip-name-resolve"] + SMALL),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        cwd="/", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}")


def copy(source, target):
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def version():
    return subprocess.run([find("mariadbd"), "--version"], capture_output=True, text=True,
                          check=True).stdout.split()[2]


def make_datadir(datadir):
    """A copy of this user's template, which the first test of a server version makes."""
    cache = private_cache("mariadb")
    if not cache:
        install(datadir)
        return
    template = os.path.join(cache, version())
    with open(os.path.join(cache, "lock"), "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(template):
            install(datadir)
            shutil.rmtree(template + ".new", ignore_errors=True)
            copy(datadir, template + ".new")
            os.rename(template + ".new", template)
            return
    copy(template, datadir)


class MariaDB:
    """
    One server. `tcp` also lets it listen on a loopback port; `options` go to mariadbd as they are; `surroundings` are
    variables of its environment from the next start on.
    """

    def __init__(self, tcp=False, options=(), flushes=False):
        self._scratch = Scratch("db")
        self._ports = Ports()
        self.folder = self._scratch.path
        give_away(self.folder)
        self.socket = os.path.join(self.folder, "s")
        self.log = os.path.join(self.folder, "log")
        self.port = self._ports.take() if tcp else None
        self.options = ([] if flushes else ["--innodb-flush-method=nosync"]) + list(options)
        self.surroundings = {}
        self.process = None
        self._names = 0
        atexit.register(self.close)
        datadir = os.path.join(self.folder, "data")
        make_datadir(datadir)
        self.start()
        self.sql(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';"
                 f"GRANT ALL ON *.* TO '{USER}'@'%';")

    def start(self):
        """Starts it, again if it was stopped or killed, and waits until it answers."""
        network = ([f"--port={self.port}", "--bind-address=127.0.0.1"] if self.port
                   else ["--skip-networking"])
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        command = [find("mariadbd"), "--no-defaults", f"--datadir={self.folder}/data",
                   f"--socket={self.socket}", f"--pid-file={self.folder}/pid",
                   f"--tmpdir={self.folder}", f"--log-error={self.log}"]
        self.process = subprocess.Popen(
            unprivileged(command + network + OPTIONS + self.options), cwd="/",
            env={**os.environ, **self.surroundings},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers, START_DEADLINE, "MariaDB's start")

    def _answers(self):
        """True once the server greets; raises with its log if it ended instead."""
        if self.process.poll() is not None:
            raise RuntimeError(f"mariadbd ended with {self.process.returncode}:\n{self.log_text()}")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            try:
                probe.connect(self.socket)
                return len(probe.recv(5)) == 5
            except OSError:
                return False

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def sql(self, text, database=None):
        """What the client prints for the statements: a line a row, columns parted by tabs."""
        command = [find("mariadb"), "--no-defaults", f"--socket={self.socket}", "--user=root",
                   "--batch", "--skip-column-names", "--default-character-set=utf8mb4"]
        done = subprocess.run(command + ([database] if database else []), input=text,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{done.stderr.strip()}\nin: {text[:400]}")
        return done.stdout

    def rows(self, text, database=None):
        """The same as lists of strings."""
        return [line.split("\t") for line in self.sql(text, database).splitlines()]

    def database(self, name=None):
        """A fresh, empty database; returns its name."""
        if not name:
            self._names += 1
            name = f"test_{self._names}"
        self.sql(f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}`"
                 " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;")
        return name

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """An orderly shutdown."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def kill(self):
        """Nothing is written any more. start() recovers."""
        if self.running():
            self.process.kill()
            self.process.wait()
        self.process = None

    def freeze(self):
        """Answers nothing until thaw(), while connections stay open. Returns once every thread has stopped: on a
        busy machine that takes a moment, in which one could still commit."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = f"/proc/{self.process.pid}/task"

        def stopped():
            for task in os.listdir(tasks):
                with open(f"{tasks}/{task}/stat", encoding="ascii", errors="replace") as file:
                    if file.read().rpartition(")")[2].split()[0] not in "Tt":
                        return False
            return True

        wait_for(stopped, 10, "the server to stop")

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        """Stops it and removes all it wrote. Nothing is kept, so nothing need be flushed."""
        atexit.unregister(self.close)
        self.kill()
        self._ports.close()
        self._scratch.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


if __name__ == "__main__":
    begun = time.monotonic()
    with MariaDB() as server:
        print(f"up in {time.monotonic() - begun:.2f} s: {server.sql('SELECT VERSION()').strip()}")
