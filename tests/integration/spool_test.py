"""The database is away: deliveries are taken into the spool, answered once they are on the disk, and come to the inbox,
each once and with its own time of arrival, when it is back."""

import base64
import glob
import hashlib
import json
import os
import resource
import signal
import sqlite3
import threading
import time
import unittest

from mariadb import MariaDB
from programs import SOURCE, START_DEADLINE, Deployment, wait_for
from signing import sign_woocommerce

SENDERS_PATIENCE = 5  # Shopify's: then the delivery counts as failed there
BACK = 60
MARK = "zoe.marked@example.test"
STORED = (200, {"status": "stored"})
DUPLICATE = (200, {"status": "duplicate"})


def body_of(number, size=0):
    return json.dumps({"id": number, "billing": {"email": MARK}, "note": "x" * size}).encode()


def setUpModule():
    global server
    server = MariaDB()
    unittest.addModuleCleanup(server.close)


class Case(unittest.TestCase):
    overrides = {}

    def setUp(self):
        self.server = server
        self.sent = {}  # number: (before, after), of those that were acknowledged
        self.keys = {}  # a delivery's key: its number
        if not self.server.running():
            self.server.start()
        self.shop = self.enterContext(Deployment(self.server, self.overrides))
        self.shop.migrate()
        self.addCleanup(lambda: self.server.running() or self.server.start())

    def freeze(self):
        self.server.freeze()
        self.addCleanup(self.server.thaw)

    def send(self, number, size=0):
        """(status, answer), noting what was promised and when."""
        body, before = body_of(number, size), time.time()
        self.keys[hashlib.sha256(body).hexdigest()] = number
        status, answer = self.shop.deliver(SOURCE, body, sign_woocommerce(body, self.shop.secret(SOURCE)))
        after = time.time()
        self.assertLess(after - before, SENDERS_PATIENCE)
        if status == 200:
            self.sent.setdefault(number, (before, after))
        return status, answer

    def pending(self):
        return self.shop.metric("purchase_spool_pending")

    def drained(self):
        wait_for(lambda: self.pending() == 0 and self.shop.metric("purchase_database_away") == 0, BACK,
                 "the spool to be empty")

    def inbox(self):
        """{number: received_at in seconds} of what is in the inbox; its key there is unique."""
        rows = self.shop.sql("SELECT LOWER(HEX(delivery_key)), received_at FROM delivery").splitlines()
        return {self.keys[row.split()[0]]: int(row.split()[1]) / 1e6 for row in rows}

    def check_inbox(self):
        """Each that was acknowledged is there once, as of the moment at which it came."""
        found = self.inbox()
        self.assertEqual(sorted(found), sorted(self.sent))
        for number, (before, after) in self.sent.items():
            self.assertTrue(before - 0.001 <= found[number] <= after + 0.001, number)
        self.shop.worker_once()  # opens each body, and finds that it is no order
        self.assertEqual(self.shop.sql("SELECT state, reason, COUNT(*) FROM delivery GROUP BY 1, 2").split(),
                         ["set_aside", "not_an_order", str(len(found))])

    def files(self):
        return sorted(glob.glob(os.path.join(self.shop.path("state"), "spool-*.db")))

    def not_ready(self):
        status, text = self.shop.internal("/readyz")
        return status == 503 and json.loads(text)["detail"]


class Killed(Case):
    def test_what_comes_meanwhile_is_in_the_inbox_later(self):
        webhook = self.shop.start_webhook()
        self.assertEqual(self.send(1), STORED)
        self.server.kill()
        for number in range(2, 12):
            self.assertEqual(self.send(number), STORED)
        for _ in range(3):  # the same bytes take no room
            self.assertEqual(self.send(5), DUPLICATE)
        self.assertEqual(self.pending(), 10)
        self.assertEqual(self.shop.metric("purchase_database_away"), 1)
        self.assertEqual(self.shop.metric("purchase_spool_total", event="duplicate"), 3)
        self.assertIn("deliveries are spooled", wait_for(self.not_ready, 20, "readyz 503"))
        self.assertEqual(self.shop.internal("/healthz")[0], 200)
        for path in glob.glob(os.path.join(self.shop.path("state"), "*")):
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)
            with open(path, "rb") as file:
                self.assertNotIn(MARK.encode(), file.read(), path)
        self.server.start()
        self.drained()
        wait_for(lambda: self.shop.internal("/readyz")[0] == 200, 20, "readyz 200")
        self.check_inbox()
        self.assertEqual(self.send(12), STORED)
        self.assertEqual(self.send(5), DUPLICATE)
        self.assertEqual(self.pending(), 0)
        log = webhook.log_text()
        self.assertIn("outage begun", log)
        self.assertIn("outage over", log)
        self.assertEqual(log.count("outage begun"), 1)
        self.assertNotIn(MARK, log)

    def test_a_front_that_dies_with_a_full_spool_drains_it_at_its_next_start(self):
        webhook = self.shop.start_webhook()
        self.server.kill()
        for number in range(1, 6):
            self.assertEqual(self.send(number, 5000), STORED)
        self.shop.kill_program(webhook)
        webhook = self.shop.start_webhook(ready=False)  # without a database
        self.assertEqual(self.send(6), STORED)
        wait_for(lambda: self.pending() == 6, START_DEADLINE, "what was left")
        self.shop.kill_program(webhook)
        self.server.start()
        self.shop.start_webhook()
        self.drained()
        self.check_inbox()
        self.assertEqual(len(self.files()), 1)

    def test_kills_at_random_moments_under_load(self):
        """Of what was acknowledged nothing is missing, whoever is killed when."""
        webhook = self.shop.start_webhook()
        stop, lock, numbers = threading.Event(), threading.Lock(), iter(range(1, 100000))

        def load():
            while not stop.is_set():
                with lock:
                    number = next(numbers)
                try:
                    self.send(number)
                except OSError:
                    time.sleep(0)  # the front is dead just now

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for step in (self.server.kill, None, self.server.start, None, self.server.kill, None, self.server.start):
                enough = len(self.sent) + 20
                wait_for(lambda enough=enough: len(self.sent) >= enough, BACK, "load")
                if step:
                    step()
                else:
                    self.shop.kill_program(webhook)
                    webhook = self.shop.start_webhook(ready=False)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.drained()
        self.assertEqual(set(self.sent) - set(self.inbox()), set())  # what was not answered may be there


class Hung(Case):
    def test_what_was_in_flight_and_what_comes_then_survive_a_stop(self):
        webhook = self.shop.start_webhook()
        self.assertEqual(self.send(1), STORED)
        self.freeze()
        threads = [threading.Thread(target=self.send, args=(number,)) for number in range(2, 10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(self.sent), list(range(1, 10)))
        self.assertEqual(self.shop.metric("purchase_database_away"), 1)
        begun = time.monotonic()
        for number in range(10, 20):  # it is known now: none of them waits for the database
            self.assertEqual(self.send(number), STORED)
        self.assertLess(time.monotonic() - begun, 10 * 2)
        self.assertIn("deliveries are spooled", wait_for(self.not_ready, 20, "readyz 503"))
        self.shop.stop_program(webhook)
        self.shop.start_webhook(ready=False)
        self.server.thaw()
        self.drained()
        self.check_inbox()

    def test_it_hangs_at_the_start(self):
        self.freeze()
        self.shop.start_webhook(ready=False)
        self.assertEqual(self.send(1), STORED)
        self.assertIn("deliveries are spooled", wait_for(self.not_ready, 20, "readyz 503"))
        self.server.thaw()
        self.drained()
        wait_for(lambda: self.shop.internal("/readyz")[0] == 200, BACK, "readyz 200")
        self.check_inbox()

    def test_checks_are_answered_from_the_cache_or_refused_and_neither_waits(self):
        self.shop.start_webhook()
        self.shop.apply_catalogue({"entitlements": {}, "products": []})
        fresh = self.shop.entitlements("42")
        wait_for(lambda: self.shop.metric("purchase_answers_kept") or not self.shop.entitlements("42"), 20, "kept")
        self.freeze()

        def ask(user):
            return self.shop.request_json("GET", "/v1/entitlements", headers=self.shop.bearer(user, "7" * 19))

        def away():
            self.shop.entitlements("42")
            return self.shop.metric("purchase_database_away") == 1

        wait_for(away, 30, "the outage")
        old = wait_for(lambda: "stale_seconds" in (told := self.shop.entitlements("42")) and told, 20, "an old answer")
        self.assertEqual({key: old[key] for key in fresh}, fresh)
        status, headers, answer = ask("4343")
        self.assertEqual((status, answer["code"]), (503, "unavailable"))
        self.assertGreater(int(headers["Retry-After"]), 0)
        self.server.thaw()
        wait_for(lambda: "stale_seconds" not in self.shop.entitlements("42"), BACK, "a fresh answer")
        wait_for(lambda: ask("4343")[0] == 200, BACK, "the database")


class Full(Case):
    overrides = {"server": {"spool_max": "1 MiB"}}

    def refused(self, number, size):
        body = body_of(number, size)
        status, headers, answer = self.shop.request_json("POST", f"/webhooks/{SOURCE}", body,
                                                         sign_woocommerce(body, self.shop.secret(SOURCE)))
        self.assertEqual((status, answer["code"]), (503, "unavailable"))
        self.assertGreater(int(headers["Retry-After"]), 0)

    def test_the_spool_is_full(self):
        self.shop.start_webhook()
        self.server.kill()
        number = 1
        while self.send(number, 200000)[0] == 200:
            number += 1
        self.assertEqual(number, 6)
        self.refused(7, 200000)
        self.assertEqual(self.send(8), STORED)  # there is room for a small one
        self.assertGreater(self.shop.metric("purchase_spool_total", event="full"), 1)
        self.server.start()
        self.drained()
        self.assertEqual(self.send(7, 200000), STORED)
        self.check_inbox()
        self.assertLess(sum(os.path.getsize(path) for path in self.files()), 1 << 20)

    def test_the_disk_is_full(self):
        webhook = self.shop.start_webhook()
        self.server.kill()
        self.assertEqual(self.send(1), STORED)
        _, hard = resource.prlimit(webhook.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(webhook.process.pid, resource.RLIMIT_FSIZE, (200000, hard))
        self.refused(2, 300000)
        self.assertEqual(self.shop.metric("purchase_spool_usable"), 0)
        self.assertIn("cannot be used", wait_for(self.not_ready, 20, "readyz 503"))
        resource.prlimit(webhook.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        self.assertEqual(self.send(2, 300000), STORED)
        self.assertEqual(self.shop.metric("purchase_spool_usable"), 1)
        self.server.start()
        self.drained()
        self.check_inbox()

    def test_the_folder_is_not_there(self):
        self.shop.configure({"server": {"state_dir": self.shop.path("none")}})
        self.shop.start_webhook()
        self.assertEqual(self.send(1), STORED)  # the database is
        self.server.kill()
        self.refused(2, 10)
        self.server.start()
        wait_for(lambda: self.send(3)[0] == 200, BACK, "the database")


class Spoilt(Case):
    def test_a_row_that_was_changed_is_set_apart_and_stops_nobody(self):
        webhook = self.shop.start_webhook()
        self.server.kill()
        for number in range(1, 6):
            self.assertEqual(self.send(number), STORED)
        self.shop.kill_program(webhook)
        with sqlite3.connect(self.files()[0]) as file:
            file.execute("UPDATE delivery SET received_at = received_at - 1 WHERE id = 2")
            file.execute("UPDATE delivery SET source = 'nobody' WHERE id = 3")
        file.close()
        del self.sent[2], self.sent[3]
        self.server.start()
        webhook = self.shop.start_webhook()
        self.drained()
        self.check_inbox()
        self.assertEqual(self.shop.metric("purchase_spool_set_apart"), 2)
        self.assertEqual(webhook.log_text().count("error spool set_apart"), 2)
        doctor = self.shop.ctl("doctor", expected=None).stdout
        self.assertRegex(doctor, r"warn\s+spool\s+.*2 .*set apart")
        self.shop.kill_program(webhook)
        with sqlite3.connect(self.files()[0]) as file:  # what was wrong is mended
            file.execute(f"UPDATE delivery SET source = '{SOURCE}'")
            file.execute("UPDATE delivery SET received_at = received_at + 1 WHERE id = 2")
        file.close()
        self.shop.start_webhook()
        wait_for(lambda: self.shop.metric("purchase_spool_set_apart") == 0 and self.pending() == 0, BACK, "all of them")
        self.assertEqual(sorted(self.inbox()), [1, 2, 3, 4, 5])

    def test_another_keyring_is_refused_without_a_database_too(self):
        webhook = self.shop.start_webhook()
        self.server.kill()
        self.assertEqual(self.send(1), STORED)
        self.shop.kill_program(webhook)
        good = self.shop.file_text("keyring")
        self.shop.write("keyring", "1:" + base64.b64encode(os.urandom(32)).decode() + "\n")
        self.assertIn("the keyring does not open", self.shop.run("purchase-webhook", expected=1).stderr)
        self.server.start()
        self.assertIn("none of the keyring's keys opens", self.shop.run("purchase-webhook", expected=1).stderr)
        self.shop.write("keyring", good)
        self.shop.start_webhook()
        self.drained()
        self.check_inbox()


class Fronts(Case):
    def test_what_a_front_that_never_comes_back_left_is_taken_over(self):
        internal = self.shop._ports.take()
        first = self.shop._start("purchase-webhook", "--internal-listen", f"127.0.0.1:{internal}")
        wait_for(lambda: self.answers(first, internal), START_DEADLINE, "the first front")
        self.server.kill()
        for number in range(1, 6):
            self.assertEqual(self.send(number), STORED)
        second = self.shop._start("purchase-webhook", "--internal-listen", f"127.0.0.1:{self.shop.internal_port}")
        wait_for(lambda: self.answers(second, self.shop.internal_port), START_DEADLINE, "the second front")
        wait_for(lambda: len(self.files()) == 2, START_DEADLINE, "a file each")
        self.shop.kill_program(first)
        for number in range(6, 9):
            self.assertEqual(self.send(number), STORED)
        self.assertEqual(self.pending(), 3)
        self.server.start()
        wait_for(lambda: self.shop.metric("purchase_spool_total", event="adopted") == 5, BACK, "the other's")
        self.drained()
        self.check_inbox()

    def answers(self, program, port):
        program.must_live()
        try:
            return self.shop.request("GET", "/healthz", port=port)[0] == 200
        except OSError:
            return False


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    unittest.main()
