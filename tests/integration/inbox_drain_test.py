"""The inbox under load and under faults: a delivery and its body are one, leases are given back, nothing is lost or
done twice, and no shop's backlog is in another's way."""

import hashlib
import http.client
import json
import subprocess
import threading
import unittest
from contextlib import contextmanager

from mariadb import MariaDB, find
from processes import check_ended
from programs import SOURCE, Deployment, sign_woocommerce, wait_for

BATCH = 256    # deliveries leased together
HELD = 3  # batches that one worker has leased: two are merged beside each other, and one is next
LEASE = 60     # seconds that a lease lasts
POSTERS = 8    # connections that deliver
OTHER = "other-store"
DEADLINE = 60
LARGE = 2_000_000  # bytes: three of them are more than a lease takes


def order(number, note=""):
    return {"id": number, "status": "processing", "total": "10.00", "customer_note": note,
            "billing": {"email": f"b{number}@example.test"},
            "date_modified_gmt": "2026-01-05T10:00:05", "date_paid_gmt": "2026-01-05T10:00:05",
            "meta_data": [], "refunds": [],
            "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "sku": "",
                            "quantity": 1}]}


class Poster(threading.Thread):
    """Delivers orders over a kept connection, and knows which were acknowledged."""

    def __init__(self, run, source, numbers):
        super().__init__()
        self.run_, self.source, self.numbers = run, source, numbers
        self.secret = run.secret(source)
        self.connection = None
        self.acknowledged, self.refused = [], 0

    def post(self, body):
        headers = {"Content-Type": "application/json", **sign_woocommerce(body, self.secret)}
        try:
            self.connection = self.connection or http.client.HTTPConnection(
                "127.0.0.1", self.run_.port, timeout=DEADLINE)
            self.connection.request("POST", f"/webhooks/{self.source}", body, headers)
            answer = self.connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            self.connection = None
            return 0

    def run(self):
        for number in self.numbers:
            body = json.dumps(order(number)).encode()
            if self.post(body) == 200:
                self.acknowledged.append(hashlib.sha256(body).hexdigest())
            else:
                self.refused += 1
        if self.connection:
            self.connection.close()


class Drain(unittest.TestCase):
    """Two WooCommerce shops without an API."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.run_ = Deployment(self.server, {f"source {OTHER}": {
            "provider": "woocommerce", "webhook_secret_file": "other.secret"}},
            {"other.secret": "the other shop's own\n"})
        self.addCleanup(self.run_.close)
        self.run_.migrate()
        self.run_.apply_catalogue({
            "entitlements": {"icons": {"name": "Icons"}},
            "products": [{"source": name, "product": "10", "grants": ["icons"]}
                         for name in (SOURCE, OTHER)]})
        self.run_.start_webhook()

    def number(self, text):
        return int(self.run_.sql(text))

    def posters(self, count, first=1, source=SOURCE):
        started = [Poster(self.run_, source, range(first + i, first + count, POSTERS))
                   for i in range(POSTERS)]
        for poster in started:
            poster.start()
        return started

    def deliver(self, count, first=1, source=SOURCE):
        for poster in self.posters(count, first, source):
            poster.join()
            self.assertEqual(poster.refused, 0)

    def leased(self):
        return self.number("SELECT COUNT(*) FROM delivery WHERE state = 'leased'")

    def unfinished(self):
        return self.number("SELECT COUNT(*) FROM delivery WHERE state <> 'done'")

    @contextmanager
    def merges_held(self):
        """Another connection holds every gap between orders, so that a merge of new ones waits."""
        client = subprocess.Popen(
            [find("mariadb"), "--no-defaults", f"--socket={self.server.socket}", "--user=root",
             "--unbuffered", "--skip-column-names", self.run_.database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            client.stdin.write("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN;"
                               " SELECT COUNT(*) FROM shop_order FOR UPDATE;\n")
            client.stdin.flush()
            self.assertEqual(client.stdout.readline().strip(), "0")
            yield
        finally:
            client.kill()
            client.communicate()

    @contextmanager
    def merging_with_the_next_leased(self, total):
        """A backlog, and a worker whose batches are held in their merges: it leased the next one meanwhile."""
        self.deliver(total)
        with self.merges_held():
            worker = self.run_.start_worker()
            wait_for(lambda: self.leased() > (HELD - 1) * BATCH, DEADLINE, "the next batch, leased ahead")
            self.assertLessEqual(self.leased(), HELD * BATCH)
            yield worker

    def everything_once(self, total):
        """Every order gave its one contribution; no delivery was counted twice."""
        self.assertEqual(self.unfinished(), 0)
        self.assertEqual(self.number("SELECT COUNT(*) FROM contribution WHERE state = 'active'"),
                         total)
        self.assertEqual(self.number("SELECT COUNT(*) FROM audit"), total)

    def bodies_are_whole(self):
        self.assertEqual(self.number("SELECT COUNT(*) FROM delivery WHERE LENGTH(body) <> sealed_bytes"
                                     " OR sealed_bytes = 0"), 0)

    def test_a_delivery_and_its_body_are_one_whatever_befalls_the_database(self):
        """MariaDB is killed under load: what was acknowledged is there, whole, and nothing is there by half."""
        posters = self.posters(4000)
        wait_for(lambda: self.number("SELECT COUNT(*) FROM delivery") > 300, DEADLINE, "deliveries")
        self.server.kill()
        wait_for(lambda: self.run_.metric("purchase_spool_pending") > 0
                 or not any(poster.is_alive() for poster in posters), DEADLINE, "the spool")
        self.server.start()
        for poster in posters:
            poster.join()
        wait_for(lambda: self.run_.metric("purchase_spool_pending") == 0, DEADLINE, "an empty spool")
        acknowledged = sum((poster.acknowledged for poster in posters), [])
        stored = set(self.run_.sql("SELECT LOWER(HEX(delivery_key)) FROM delivery").split())
        self.assertGreater(len(acknowledged), 300)
        self.assertEqual([key for key in acknowledged if key not in stored], [])
        self.bodies_are_whole()
        self.run_.worker_once()
        self.everything_once(len(stored))

    def test_seen_again_in_one_batch_and_later(self):
        """Many at once of the same few: a row each, and every sight counted."""
        posters = [Poster(self.run_, SOURCE, [1, 2, 3] * 40) for _ in range(POSTERS)]
        for poster in posters:
            poster.start()
        for poster in posters:
            poster.join()
            self.assertEqual(poster.refused, 0)
        self.assertEqual(self.run_.sql("SELECT times_received FROM delivery").split(),
                         [str(40 * POSTERS)] * 3)
        self.bodies_are_whole()
        self.run_.worker_once()
        self.everything_once(3)

    def test_leases_ahead_are_worked_off_at_sigterm(self):
        """What is leased is finished, no more is leased, and nothing spent an attempt."""
        total = 6 * BATCH
        with self.merging_with_the_next_leased(total) as worker:
            worker.process.terminate()
        wait_for(lambda: not worker.alive(), DEADLINE, "the worker's end")
        self.run_.programs.remove(worker)
        check_ended("purchase-worker", worker.process.returncode, worker.log_text())
        self.assertEqual(self.unfinished(), total - HELD * BATCH)
        self.assertEqual(self.number("SELECT COUNT(*) FROM delivery WHERE state <> 'done'"
                                     " AND (state <> 'pending' OR attempts > 0)"), 0)
        self.run_.worker_once()
        self.everything_once(total)

    def test_leases_of_a_killed_worker_are_taken_over(self):
        total = 5 * BATCH
        with self.merging_with_the_next_leased(total) as worker:
            self.run_.kill_program(worker)
        self.assertGreater(self.leased(), 2 * BATCH)
        self.run_.sql("UPDATE delivery SET due_at = 1 WHERE state = 'leased'")  # a minute later
        self.run_.worker_once()
        self.everything_once(total)
        self.assertEqual(self.number("SELECT MAX(attempts) FROM delivery"), 2)

    def test_leases_ahead_are_given_back_when_the_database_was_away(self):
        """A restart in the middle of a merge costs seconds, not the leases of several batches."""
        total = 4 * BATCH
        with self.merging_with_the_next_leased(total):
            self.server.kill()
        self.server.start()
        wait_for(lambda: self.unfinished() == 0, LEASE / 2, "the backlog's end")
        self.everything_once(total)

    def test_workers_share_a_backlog(self):
        """Each delivery is drained by one of them, and each of them drains some."""
        total = 12 * BATCH
        self.deliver(total)
        with self.merges_held():
            workers = [self.run_.start_worker() for _ in range(3)]
            wait_for(lambda: self.leased() > 4 * BATCH, DEADLINE, "leases of all three")
        wait_for(lambda: self.unfinished() == 0, DEADLINE, "the backlog's end")
        for worker in workers:
            self.run_.stop_program(worker)
        counts = [int(count) for count in self.run_.sql(
            "SELECT value FROM worker_counter WHERE result = 'done'").split()]
        self.assertEqual(sum(counts), total)
        self.assertEqual(len(counts), 3)
        self.assertEqual(self.number("SELECT MAX(attempts) FROM delivery"), 1)
        self.everything_once(total)

    def test_a_backlog_of_one_shop_is_not_in_anothers_way(self):
        """What came last, of the other shop, is in the first batch."""
        total = 4 * BATCH
        self.deliver(total)
        self.deliver(1, first=5000, source=OTHER)
        self.run_.worker_once()
        sooner = self.number(
            "SELECT COUNT(*) FROM delivery d JOIN source s ON s.id = d.source_id"
            f" WHERE s.name = '{SOURCE}' AND processed_at <= (SELECT processed_at FROM delivery d"
            f" JOIN source s ON s.id = d.source_id WHERE s.name = '{OTHER}')")
        self.assertLess(sooner, BATCH)
        self.everything_once(total + 1)

    def test_large_bodies_of_one_shop_leave_room_for_anothers(self):
        """A body that does not fit into what is leased ends its own shop's turn, not the other's."""
        large, small = 6, 12
        poster = Poster(self.run_, SOURCE, [])
        for number in range(1, large + 1):
            self.assertEqual(poster.post(json.dumps(order(number, "x" * LARGE)).encode()), 200)
        poster.connection.close()
        self.deliver(small, first=5000, source=OTHER)
        self.run_.worker_once()
        sooner = self.number(
            "SELECT COUNT(*) FROM delivery d JOIN source s ON s.id = d.source_id"
            f" WHERE s.name = '{SOURCE}' AND processed_at <= (SELECT MAX(processed_at) FROM delivery d"
            f" JOIN source s ON s.id = d.source_id WHERE s.name = '{OTHER}')")
        self.assertLess(sooner, large)
        self.everything_once(large + small)

    def test_leasing_reads_no_more_rows_the_more_there_are(self):
        """100,000 put off and as many done: a lease reads a few times its batch."""
        self.deliver(2 * BATCH)
        self.run_.sql(
            "INSERT INTO delivery (source_id, delivery_key, state, received_at, last_received_at,"
            " due_at, sealed_bytes, body) SELECT s.id, UNHEX(SHA2(seq, 256)),"
            " ELT(1 + seq % 2, 'done', 'pending'), 1, 1, 4000000000000000 + seq, 200, REPEAT('x', 200)"
            f" FROM seq_1_to_200000 JOIN source s ON s.name = '{SOURCE}'; ANALYZE TABLE delivery")
        self.server.sql("SET GLOBAL log_output = 'TABLE', slow_query_log = 1, long_query_time = 0")
        self.addCleanup(self.server.sql, "SET GLOBAL slow_query_log = 0, long_query_time = 10,"
                                         " log_output = 'FILE'")
        self.run_.worker_once()
        rows = self.server.rows("SELECT rows_examined, LEFT(CONVERT(sql_text USING utf8mb4), 90)"
                                " FROM mysql.slow_log WHERE CONVERT(sql_text USING utf8mb4)"
                                " REGEXP '^[(]*(SELECT|UPDATE).*delivery' AND user_host LIKE"
                                " 'purchase_sync%' ORDER BY rows_examined DESC")
        self.assertGreater(len(rows), 6)
        self.assertLess(int(rows[0][0]), 8 * BATCH, rows[0])
        self.assertEqual(self.number("SELECT COUNT(*) FROM contribution"), 2 * BATCH)
        self.run_.sql("DELETE FROM delivery WHERE sealed_bytes = 200")


if __name__ == "__main__":
    unittest.main(verbosity=2)
