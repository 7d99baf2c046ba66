"""Reads and writes that are cut short or interrupted, on every socket and pipe of every program and in every file that is
read: what is received, drained, fetched from Miro and answered is the same as without.
"""

import json
import unittest

from control import Control
from fake_miro import FakeMiro
from mariadb import MariaDB
from programs import SOURCE, Deployment, wait_for

CUT = 1
DEADLINE = 60
ORDERS = 40
TEAM = "3458764514838398336"
CATALOGUE = {"entitlements": {"icons": {}}, "products": [{"source": SOURCE, "product": "10", "grants": ["icons"]}]}


class ShortTest(unittest.TestCase):
    def setUp(self):
        self.server = MariaDB()
        self.addCleanup(self.server.close)
        self.miro = FakeMiro()
        self.addCleanup(self.miro.close)
        self.run_ = Deployment(self.server, {"miro": self.miro.settings()})
        self.addCleanup(self.run_.close)
        self.cut = Control("short", self.run_.folder)
        self.cut.mode = CUT  # from the first byte of the configuration to the last of an answer
        self.run_.surroundings = self.cut.environment

    def order(self, number):
        return {"id": number, "status": "completed", "billing": {"email": f"buyer{number % 4}@example.test"},
                "total": "1.00", "date_modified_gmt": "2026-11-01T10:00:00", "date_paid_gmt": "2026-11-01T10:00:00",
                "line_items": [{"id": 1, "product_id": 10, "quantity": 1, "total": "1.00"}], "refunds": [],
                "note": "x" * (number * 997 % 30000)}

    def test_a_life_in_pieces(self):
        run = self.run_
        run.migrate()
        run.apply_catalogue(CATALOGUE)
        run.start_webhook()
        run.start_worker()
        for number in range(1, ORDERS + 1):
            self.assertEqual(run.deliver_woocommerce(self.order(number))["status"], "stored")
        for buyer in range(4):
            user = str(3458764514838390000 + buyer)
            self.miro.token(user, TEAM)
            self.miro.profile(user, f"buyer{buyer}@example.test")
            self.assertEqual(run.request("GET", "/oauth/callback?code=c")[0], 302)
        wait_for(lambda: run.sql("SELECT COUNT(*) FROM delivery WHERE state = 'done'").strip() == str(ORDERS), DEADLINE,
                 "the inbox")
        for buyer in range(4):
            answer = run.entitlements(str(3458764514838390000 + buyer), TEAM)
            self.assertEqual([(item["key"], item["quantity"]) for item in answer["entitlements"]],
                             [("icons", ORDERS // 4)])
        self.assertGreater(self.cut.struck, ORDERS, "hardly anything was cut")
        first = run.sql("SELECT MIN(id) FROM delivery").strip()
        shown = run.ctl_json("deliveries", "show", first)  # the whole body came through
        self.assertIn('\\"id\\": 1,', json.dumps(shown))


if __name__ == "__main__":
    unittest.main()
