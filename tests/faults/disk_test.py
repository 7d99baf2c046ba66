"""A disk that fails or hangs under the database, or under the front as well: no 2xx leaves before its delivery is durable.

Where the front has a spool (it tells purchase_spool_pending), a delivery is durable as soon as its own disk has it; else
only in the database. Both are tried: what must hold is told by what the program can do.
"""

import json
import threading
import unittest

from control import FAILS, HANGS, WELL, Control
from mariadb import MariaDB
from programs import SOURCE, Deployment, wait_for
from signing import sign_woocommerce

DEADLINE = 60
WHILE_HANGING = 3  # seconds in which a wrong 2xx would show; a database that hangs for 2 s counts as away


class Sent:
    """A delivery on its way, in a thread of its own."""

    def __init__(self, run, number):
        self.number = number
        self.status = None
        self._run = run
        self._thread = threading.Thread(target=self._post, daemon=True)
        self._thread.start()

    def _post(self):
        body = json.dumps({"id": self.number, "status": "processing", "line_items": []}).encode()
        try:
            self.status = self._run.deliver(SOURCE, body, sign_woocommerce(body, self._run.secret(SOURCE)))[0]
        except OSError:
            self.status = 0

    def answer(self, seconds):
        """The status, 0 for a connection that was cut, or None if there was no answer in that time."""
        self._thread.join(seconds)
        return self.status


class DiskTest(unittest.TestCase):
    def setUp(self):
        self.server = MariaDB(flushes=True)
        self.addCleanup(self.server.close)
        self.database_disk = self.control(self.server.folder)
        self.server.surroundings = self.database_disk.environment
        self.server.restart()
        self.run_ = Deployment(self.server)
        self.addCleanup(self.run_.close)
        self.run_.migrate()
        self.front_disk = self.control(self.run_.folder)
        self.addCleanup(self.all_well)  # before the programs are told to end
        self.run_.surroundings = self.front_disk.environment
        self.front = self.run_.start_webhook()
        self.run_.surroundings = {}
        self.spools = self.run_.metric("purchase_spool_pending") is not None
        self.acknowledge(1)
        self.assertGreater(self.database_disk.calls, 0, "the library does not see the database's flushes")

    def control(self, folder):
        control = Control("disk", folder)
        self.addCleanup(control.close)
        return control

    def all_well(self):
        self.database_disk.mode = self.front_disk.mode = WELL

    def acknowledge(self, number):
        """Sends it as a shop does, until it is acknowledged."""
        wait_for(lambda: Sent(self.run_, number).answer(DEADLINE) == 200, DEADLINE, f"the acknowledgement of {number}")

    def await_inbox(self, count):
        wait_for(lambda: self.run_.sql("SELECT COUNT(*) FROM delivery").strip() == str(count), DEADLINE,
                 f"{count} deliveries in the inbox")

    def test_a_database_that_cannot_flush(self):
        """No 2xx, or one that the front's own disk stands for."""
        flushed = self.front_disk.calls
        self.database_disk.mode = HANGS
        sent = Sent(self.run_, 2)
        wait_for(lambda: self.database_disk.hanging, DEADLINE, "the commit's flush")
        status = sent.answer(DEADLINE if self.spools else WHILE_HANGING)
        if status == 200:
            self.assertTrue(self.spools, "acknowledged, and durable nowhere")
            self.assertGreater(self.front_disk.calls, flushed, "acknowledged before the spool's flush")
        else:
            self.assertFalse(self.spools, f"the spool was there for it: {status}")
        self.assertTrue(self.database_disk.hanging, "it hung all the while, or nothing is proved")
        self.all_well()
        self.assertEqual(sent.answer(DEADLINE), 200)
        self.await_inbox(2)

    def test_a_database_whose_flush_fails(self):
        """It ends itself rather than promise what it cannot keep; what it had not promised comes again."""
        self.database_disk.mode = FAILS
        sent = Sent(self.run_, 2)
        status = sent.answer(DEADLINE)
        self.assertIn(status, (200,) if self.spools else (503, 0))
        wait_for(lambda: not self.server.running(), DEADLINE, "the database's end")
        self.assertGreater(self.database_disk.struck, 0)
        self.database_disk.mode = WELL
        self.server.start()
        self.acknowledge(2)
        self.acknowledge(3)
        self.await_inbox(3)

    def test_no_disk_at_all(self):
        """Neither the database nor the front can flush: nothing is acknowledged, and the front is alive."""
        self.database_disk.mode = self.front_disk.mode = HANGS
        sent = Sent(self.run_, 2)
        wait_for(lambda: self.database_disk.hanging, DEADLINE, "the commit's flush")
        if self.spools:
            wait_for(lambda: self.front_disk.hanging, DEADLINE, "the spool's flush")
        self.assertNotEqual(sent.answer(WHILE_HANGING), 200, "acknowledged, and durable nowhere")
        self.assertEqual(self.run_.internal("/healthz")[0], 200)
        self.all_well()
        self.acknowledge(2)
        self.await_inbox(2)

    def test_a_front_whose_flush_fails(self):
        """With the database hanging and a spool that cannot be written, the shop is told to come again."""
        self.database_disk.mode, self.front_disk.mode = HANGS, FAILS
        sent = Sent(self.run_, 2)
        wait_for(lambda: self.database_disk.hanging, DEADLINE, "the commit's flush")
        status = sent.answer(DEADLINE if self.spools else WHILE_HANGING)
        self.assertNotEqual(status, 200, "acknowledged, and durable nowhere")
        self.all_well()
        self.acknowledge(2)
        self.await_inbox(2)


if __name__ == "__main__":
    unittest.main()
