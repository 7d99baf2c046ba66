"""The service manager's side: hears what a program tells it (sd_notify), and hands it a socket that listens.

    manager = Manager(folder)
    Program(name, command, folder, {**environment, **manager.environment(watchdog=2)})
    manager.wait_for("READY=1")
"""

import os
import socket
import sys
import threading
import time

from waiting import wait_for

DEADLINE = 60


class Manager:
    """A datagram socket, and what was said to it: (time, {name: value}), in order."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self.heard = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def environment(self, watchdog=None):
        """What a unit's Type=notify, and WatchdogSec= in seconds, put there."""
        told = {"NOTIFY_SOCKET": self.path}
        if watchdog:
            told["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        return told

    def _listen(self):
        while True:
            text = self._socket.recv(4096).decode("utf-8")
            if not text:
                return
            lines = [line.partition("=") for line in text.splitlines()]
            self.heard.append((time.monotonic(), {name: value for name, _, value in lines}))

    def said(self, line):
        """How often a line was said."""
        name, _, value = line.partition("=")
        return sum(1 for _, said in list(self.heard) if said.get(name) == value)

    def status(self):
        """The sentence that `systemctl status` would show."""
        sentences = [said["STATUS"] for _, said in list(self.heard) if "STATUS" in said]
        return sentences[-1] if sentences else None

    def silence(self):
        """Seconds since the last sign of life."""
        return time.monotonic() - max((at for at, said in list(self.heard) if "WATCHDOG" in said), default=0)

    def wait_for(self, line, deadline=DEADLINE):
        wait_for(lambda: self.said(line), deadline, line)

    def wait_for_status(self, part, deadline=DEADLINE):
        wait_for(lambda: part in (self.status() or ""), deadline, f"a status with {part!r}")

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.path)
        self._thread.join()
        self._socket.close()


class Listener:
    """A TCP socket that listens for as long as the test likes, as systemd's do."""

    def __init__(self, port, name="public"):
        self.name = name
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen(socket.SOMAXCONN)

    def handing(self, command):
        """The command, given the socket as its descriptor 3; start it with pass_fds=listener.fds()."""
        return [sys.executable, os.path.abspath(__file__), str(self.socket.fileno()), self.name, *command]

    def fds(self):
        return (self.socket.fileno(),)

    def close(self):
        self.socket.close()


def hand_over(number, name, command):
    """Becomes the command: only who has its process id can write it down."""
    descriptor = int(number)
    if descriptor == 3:
        os.set_inheritable(3, True)
    else:
        os.dup2(descriptor, 3)
        os.close(descriptor)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=name)
    os.execvp(command[0], command)


if __name__ == "__main__":
    hand_over(sys.argv[1], sys.argv[2], sys.argv[3:])
