"""A database whose commits do not outlive a power cut is refused by /readyz and by doctor, from the start and at any time:
redo that is flushed once a second or not at all, and a binary log that is not flushed, for a server that comes back
rolls back whatever is prepared and not in it.
"""

import unittest

from mariadb import MariaDB
from programs import Deployment, wait_for

DEADLINE = 30  # the front looks every two seconds
REDO = "innodb_flush_log_at_trx_commit"
SETTINGS = ((REDO, "2"), ("sync_binlog", "0"))


class DurabilityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB(options=["--log-bin=binlog", "--sync-binlog=1"], flushes=True)
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.addCleanup(self.set, REDO, "1")
        self.addCleanup(self.set, "sync_binlog", "1")
        self.run_ = Deployment(self.server)
        self.addCleanup(self.run_.close)
        self.run_.migrate()

    def set(self, name, value):
        self.server.sql(f"SET GLOBAL {name} = {value}")

    def await_ready(self, status, reason=""):
        """A front that has just started says first that it does not know yet."""
        wait_for(lambda: [answer for answer in (self.run_.internal("/readyz"),)
                          if answer[0] == status and reason in answer[1]], DEADLINE, f"/readyz {status} {reason}")

    def findings(self):
        """What doctor finds wrong with durability."""
        done = self.run_.ctl("doctor", "--json", expected=None)
        return [line for line in done.stdout.split("{") if '"durability"' in line and '"error"' in line]

    def test_refused_while_the_front_runs(self):
        self.run_.start_webhook()
        self.assertEqual(self.findings(), [])
        for name, value in SETTINGS:
            with self.subTest(name=name, value=value):
                self.set(name, value)
                self.await_ready(503, name)
                self.assertIn(name, "".join(self.findings()))
                self.set(name, "1")
                self.await_ready(200)

    def test_refused_from_the_start(self):
        self.set(REDO, "2")
        self.run_.start_webhook(ready=False)
        self.await_ready(503, REDO)
        self.set(REDO, "1")
        self.await_ready(200)

    def test_without_a_binary_log_its_flushing_is_of_no_account(self):
        with MariaDB(options=["--skip-log-bin", "--sync-binlog=0"], flushes=True) as server, Deployment(server) as run:
            run.migrate()
            run.start_webhook()


if __name__ == "__main__":
    unittest.main()
