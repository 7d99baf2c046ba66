"""A host's clock that jumps, for database, front and workers alike: whatever was stored before, meanwhile or after is
worked off at once, tokens are judged by the time that it is then, and nothing waits for hours.
"""

import json
import time
import unittest

from control import Control
from mariadb import MariaDB
from programs import SOURCE, Deployment, new_standard_secret, wait_for

HOUR = 3600
DEADLINE = 30
BUYER, TEAM = "3458764514838398337", "3458764514838398336"
EMAIL = "zoe@example.test"
CATALOGUE = {"entitlements": {"icons": {}}, "products": [
    {"source": source, "product": "10", "grants": ["icons"]} for source in (SOURCE, "signed")]}


class ClockTest(unittest.TestCase):
    def setUp(self):
        self.server = MariaDB()
        self.addCleanup(self.server.close)
        self.clock = Control("clock", self.server.folder)
        self.server.surroundings = self.clock.environment
        self.server.restart()
        self.run_ = Deployment(self.server, {"source signed": {
            "provider": "standard", "webhook_secret_file": "signed.secret"}},
            {"signed.secret": new_standard_secret() + "\n"})
        self.addCleanup(self.run_.close)
        self.run_.surroundings = self.clock.environment
        self.run_.migrate()
        self.run_.apply_catalogue(CATALOGUE)
        self.run_.ctl("link", BUYER, "-", "--why", "the test's buyer", stdin=EMAIL + "\n")
        self.run_.start_webhook()
        self.worker = self.run_.start_worker()
        self.orders = 0
        self.assertGreater(self.clock.calls, 0, "nobody asks this clock")

    def jump(self, hours):
        """The clock says this much more than the true one."""
        self.clock.value = hours * HOUR * 1000000
        self.hours = hours

    def now(self):
        return int(time.time()) + self.clock.value // 1000000

    def order(self):
        """One from each shop, at the time that it is now."""
        self.orders += 2
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.now()))
        self.run_.deliver_woocommerce({
            "id": self.orders, "status": "completed", "billing": {"email": EMAIL}, "total": "1.00",
            "date_modified_gmt": at, "date_paid_gmt": at, "refunds": [],
            "line_items": [{"id": 1, "product_id": 10, "quantity": 1, "total": "1.00"}]})
        self.run_.deliver_standard(json.dumps({
            "type": "order.updated", "timestamp": at + "Z", "data": {
                "id": f"A-{self.orders}", "status": "paid", "email": EMAIL, "paid_at": at + "Z",
                "lines": [{"id": "1", "product": "10", "quantity": 1}]}}).encode(), "signed", timestamp=self.now())

    def ask(self):
        """(status, how many icons) with a token that is good now."""
        status, _, value = self.run_.request_json("GET", "/v1/entitlements", headers=self.run_.bearer(
            BUYER, TEAM, iat=self.now(), exp=self.now() + 600))
        return status, sum(item["quantity"] for item in value.get("entitlements", []))

    def await_orders(self):
        wait_for(lambda: self.ask() == (200, self.orders), DEADLINE, f"{self.orders} orders in the answer")

    def test_forth_and_back(self):
        self.order()
        self.await_orders()
        for hours in (5, -5, 0, 30, 0):
            with self.subTest(hours=hours):
                self.jump(hours)
                self.order()
                self.await_orders()
                wait_for(lambda: self.run_.internal("/readyz")[0] == 200, DEADLINE, "/readyz")

    def test_what_was_stored_while_the_clock_was_ahead(self):
        """Its time of arrival lies hours ahead when the clock is set right; the buyer does not wait that long."""
        self.run_.stop_program(self.worker)
        self.jump(7)
        self.order()
        self.jump(0)
        self.worker = self.run_.start_worker()
        self.await_orders()

    def test_what_a_worker_had_leased_while_the_clock_was_ahead(self):
        """It was killed, and its leases seem to last for hours."""
        self.run_.stop_program(self.worker)
        self.order()
        self.jump(7)
        ahead = self.now() + 60
        self.run_.sql(f"UPDATE delivery SET state = 'leased', lease_owner = 'gone', leased_at = {self.now()}000000,"
                      f" due_at = {ahead}000000, attempts = 1")
        self.jump(0)
        self.worker = self.run_.start_worker()
        self.await_orders()

    def test_tokens_are_of_their_time(self):
        token = self.run_.bearer(BUYER, TEAM, exp=int(time.time()) + 600)

        def status():
            return self.run_.request("GET", "/v1/entitlements", headers=token)[0]

        self.assertEqual(status(), 200)
        self.jump(1)
        self.assertEqual(status(), 401)
        self.jump(0)
        self.assertEqual(status(), 200)

    def test_a_wait_lasts_as_long_as_it_was_told(self):
        etag = self.run_.request("GET", "/v1/entitlements", headers=self.run_.bearer(BUYER, TEAM))[1]["ETag"]
        for hours in (3, 0):
            headers = {**self.run_.bearer(BUYER, TEAM, exp=self.now() + 600), "If-None-Match": etag}
            began = time.monotonic()
            self.jump(hours)
            headers = {**self.run_.bearer(BUYER, TEAM, iat=self.now(), exp=self.now() + 600), "If-None-Match": etag}
            self.assertEqual(self.run_.request("GET", "/v1/entitlements?wait=1", headers=headers)[0], 304)
            self.assertLess(time.monotonic() - began, DEADLINE)


if __name__ == "__main__":
    unittest.main()
