"""Programs under test: started with their stderr in a file, ended in order, searched for faults."""

import os
import signal
import subprocess

from waiting import wait_for

STOP_DEADLINE = 60
SANITIZER_REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:",
                     "WARNING: ThreadSanitizer", "SUMMARY: ")
TAIL = 6000


class Program:
    """One running program. `name` is what messages and its log file call it."""

    def __init__(self, name, command, folder, environment, pass_fds=()):
        self.name = name
        self.log = os.path.join(folder, f"{name}.stderr")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL"] + command, cwd=folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=pass_fds)

    def alive(self):
        return self.process.poll() is None

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def must_live(self):
        if not self.alive():
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n"
                                 f"{self.log_text()[-TAIL:]}")

    def handles_sigterm(self):
        """True once a handler stands, or the signal is blocked to be read from a descriptor."""
        self.must_live()
        with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as file:
            status = dict(line.split(":", 1) for line in file if ":" in line)
        if status["Name"].strip() == "setpriv":
            return False
        masks = int(status["SigCgt"], 16) | int(status["SigBlk"], 16)
        return bool(masks & (1 << (signal.SIGTERM - 1)))

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9: for faults on purpose."""
        if self.alive():
            self.process.kill()
        self.process.wait()

    def stop(self, deadline=STOP_DEADLINE):
        """SIGTERM, then exit code 0 in time and a log without a sanitizer's report, or it raises."""
        if self.alive():
            wait_for(self.handles_sigterm, deadline, f"{self.name} handling SIGTERM")
            self.process.terminate()
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end {deadline} s after SIGTERM:\n"
                                 f"{self.log_text()[-TAIL:]}") from None
        check_ended(self.name, code, self.log_text())


def check_ended(name, code, log, expected=0):
    """Raises unless the code is as expected and no sanitizer complained."""
    reports = [report for report in SANITIZER_REPORTS if report in log]
    if code != expected or reports:
        raise AssertionError(f"{name} ended with {code} {' '.join(reports)}\n{log[-TAIL:]}")
