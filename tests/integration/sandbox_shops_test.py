"""What the sandbox's shops promise: faults that a seed decides, deliveries held and let go, and lists that stay quick."""

import base64
import collections
import json
import time
import unittest

from mariadb import MariaDB
from programs import SOURCE, Deployment, wait_for

STRIPE, PADDLE = "stripe-shop", "paddle-shop"
ICONS = {"product": "10", "quantity": 1}
QUICK = 0.25  # seconds: many times what a page of a hundred takes


class SandboxShops(unittest.TestCase):
    """The front is there to be sent to; what it makes of it is other tests' concern."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        secrets = {f"{name}.secret": f"the secret of {name}\n" for name in (STRIPE, PADDLE)}
        keys = {f"{name}.key": f"key_of_{name}\n" for name in (STRIPE, PADDLE)}
        self.run_ = Deployment(self.server, {}, {**secrets, **keys, "shop.key": "ck_1:cs_1\n"})
        self.addCleanup(self.run_.close)
        home = f"http://127.0.0.1:{self.run_.sandbox_port}"
        self.run_.configure({
            f"source {SOURCE}": {"api_url": home, "api_key_file": "shop.key"},
            **{f"source {name}": {"provider": name.split("-")[0], "api_key_file": f"{name}.key",
                                  "webhook_secret_file": f"{name}.secret",
                                  "api_url": f"{home}/shops/{name}"} for name in (STRIPE, PADDLE)}})
        self.run_.migrate()
        self.run_.start_sandbox()
        self.run_.start_webhook()

    def knob(self, path, body=None, expected=200):
        """A POST with a body, else a GET."""
        status, _, value = self.run_.request_json(
            "GET" if body is None else "POST", f"/sandbox/api/{path}",
            None if body is None else json.dumps(body), {"Content-Type": "application/json"},
            self.run_.sandbox_port)
        self.assertEqual(status, expected, value)
        return value

    def api(self, source, path, expected=200):
        """(headers, value) of a call of a shop's API with its key."""
        key = {"Authorization": f"Bearer key_of_{source}"}
        home = f"/shops/{source}"
        if source == SOURCE:
            key = {"Authorization": "Basic " + base64.b64encode(b"ck_1:cs_1").decode()}
            home = ""
        status, headers, value = self.run_.request_json("GET", home + path, headers=key,
                                                        port=self.run_.sandbox_port)
        self.assertEqual(status, expected, value)
        return headers, value

    def buy(self, source=STRIPE, **more):
        return self.knob("sales", {"source": source, "email": "a@example.test", "items": [ICONS], **more})

    def arrive(self):
        wait_for(lambda: self.knob("deliveries")["open"] == 0, 60, "the deliveries")

    def states(self):
        found = self.knob("deliveries")["deliveries"]
        return collections.Counter((one["state"], one["status"]) for one in found)

    # Deliveries

    def test_a_seed_decides_what_is_lost_doubled_and_tampered_with(self):
        ends = []
        for _ in range(2):
            self.knob("faults", {"seed": 5, "lose_percent": 30, "duplicate_percent": 30,
                                 "tamper_percent": 10})
            for _ in range(60):
                self.buy()
            self.arrive()
            ends.append(self.states())
            self.run_.stop_program(self.run_.programs[0])
            self.run_.sql("DELETE FROM delivery")
            self.run_.start_sandbox()
            self.run_.programs.insert(0, self.run_.programs.pop())
        self.assertEqual(ends[0], ends[1])
        self.assertTrue(8 <= ends[0]["dropped", 0] <= 28, ends[0])
        self.assertTrue(2 <= ends[0]["answered", 401] <= 15, ends[0])
        self.assertGreater(sum(ends[0].values()), 65)

    def test_deliveries_come_shuffled(self):
        self.knob("faults", {"reorder": 50, "seed": 3})
        self.knob("sales/many", {"source": STRIPE, "count": 40, "fates": {"paid": 1}})
        self.arrive()
        rows = self.knob("deliveries")["deliveries"]
        self.assertEqual({row["result"] for row in rows}, {"stored"})
        turns = [row["turn"] for row in rows]
        self.assertEqual(sorted(turns), list(range(1, 41)))
        moved = sum(abs(turn - place) > 3 for place, turn in enumerate(turns, 1))
        self.assertGreater(moved, 20, turns)

    def test_what_is_held_can_be_posted_by_others(self):
        self.knob("faults", {"hold": True})
        sale, other = self.buy(), self.buy(PADDLE)
        held = self.knob(f"deliveries?held=1&source={STRIPE}&order={sale['id']}")["deliveries"]
        self.assertEqual([one["topic"] for one in held], ["checkout.session.completed"])
        body = base64.b64decode(held[0]["body"])
        for expected in ("stored", "duplicate"):
            status, _, answer = self.run_.request_json("POST", held[0]["path"], body,
                                                       held[0]["headers"])
            self.assertEqual((status, answer["status"]), (200, expected))
        self.assertEqual(self.knob("deliveries/release", {"source": PADDLE}), {"released": 2})
        self.arrive()
        self.assertEqual(self.knob(f"deliveries?source={PADDLE}&order={other['id']}")
                         ["deliveries"][0]["result"], "stored")
        self.assertEqual(self.knob("deliveries/release", {"discard": True}), {"released": 1})

    # The APIs

    def test_a_busy_shop_says_when_to_come_back_decimals_too(self):
        self.knob("faults", {"busy_percent": 100, "retry_after_ms": 1250})
        for source, path in ((SOURCE, "/wp-json/wc/v3/orders"), (STRIPE, "/v1/events"),
                             (PADDLE, "/transactions")):
            self.assertEqual(self.api(source, path, 429)[0]["Retry-After"], "1.250")
        self.knob("faults", {"retry_after_ms": 2000})
        told = {self.api(STRIPE, "/v1/events", 429)[0]["Retry-After"] for _ in range(2)}
        self.assertEqual(told, {"2", "2.0"})
        self.knob("faults", {"busy_percent": 0, "error_percent": 100})
        self.assertIn("error", self.api(PADDLE, "/transactions", 500)[1])

    def test_an_api_that_lies(self):
        self.knob("orders", {"email": "a@example.test", "items": [ICONS], "pay": True})
        sale = self.buy()
        self.buy(PADDLE)
        session = f"/v1/checkout/sessions/cs_test_Sandbox{sale['id'] * 10000:016}"
        sessions = "/v1/checkout/sessions?expand[]=data.payment_intent.latest_charge.refunds"
        full = "/transactions?include=adjustment"

        def told():
            order = self.api(SOURCE, "/wp-json/wc/v3/orders")[1]
            found = self.api(STRIPE, sessions)[1]["data"]
            paid = self.api(PADDLE, full)[1]["data"]
            return ([one["status"] for one in order],
                    [one["payment_intent"]["latest_charge"]["refunded"] for one in found],
                    [len(one["adjustments"]) for one in paid])

        truth = (["completed"], [False], [0])
        self.assertEqual(told(), truth)
        self.knob("faults", {"api_mode": "empty"})
        self.assertEqual(told(), ([], [], []))
        self.assertEqual(self.api(STRIPE, "/v1/events")[1]["data"], [])
        self.knob("faults", {"api_mode": "refunded"})
        self.assertEqual(told(), (["refunded"], [True], [1]))
        self.knob("faults", {"api_mode": "gone"})
        self.api(STRIPE, session, 404)
        self.knob("faults", {"api_mode": "html"})
        self.assertIn("text/html", self.api(STRIPE, session)[0]["Content-Type"])
        self.knob("faults", {"api_mode": "truth"})
        self.assertEqual(told(), truth)
        self.knob("faults", {"api_mode": "sometimes"}, 400)

    def test_a_list_under_writes_tells_every_sale_all_the_same(self):
        for path, source in (("orders", SOURCE), ("sales", STRIPE), ("sales", PADDLE)):
            self.knob(f"{path}/many", {"source": source, "count": 120, "silent": True, "days": 9,
                                       "fates": {"paid": 1}})
        self.knob("faults", {"page_under_writes": 7, "hold": True})
        before = self.knob(f"sales?source={STRIPE}")["sales"]
        seen, cursor = [], ""
        while cursor is not None:
            page = self.api(STRIPE, f"/v1/checkout/sessions?limit=20{cursor}")[1]
            seen += [one["id"] for one in page["data"]]
            cursor = f"&starting_after={seen[-1]}" if page["has_more"] else None
        self.assertEqual((len(seen), len(set(seen))), (120, 120))
        after = self.knob(f"sales?source={STRIPE}")["sales"]
        changed = [one["id"] for one, old in zip(after, before) if one != old]
        self.assertTrue(20 <= len(changed) <= 42, changed)
        seen, cursor = [], ""
        while cursor is not None:
            page = self.api(PADDLE, f"/transactions?order_by=id[ASC]&per_page=20{cursor}")[1]
            seen += [one["id"] for one in page["data"]]
            cursor = f"&after={seen[-1]}" if page["meta"]["pagination"]["has_more"] else None
        self.assertEqual((len(seen), seen), (120, sorted(set(seen))))

    def test_twenty_thousand_orders_and_their_pages(self):
        for path, source in (("orders", SOURCE), ("sales", STRIPE), ("sales", PADDLE)):
            left = self.knob(f"{path}/many", {"source": source, "count": 20000, "silent": True,
                                              "days": 30, "seed": 9})
            self.assertEqual((left["made"], left["left"]), (20000, 0))
        statuses = collections.Counter(one["status"] for one in self.knob("orders")["orders"])
        self.assertEqual(set(statuses), {"completed", "pending", "cancelled", "refunded", "trash"})
        for source, path in (
                (SOURCE, "/wp-json/wc/v3/orders?status=any&orderby=modified&order=asc&per_page=100"
                         "&page=150"),
                (STRIPE, "/v1/checkout/sessions?limit=100&starting_after="
                         f"cs_test_Sandbox{15000 * 10000:016}"),
                (PADDLE, "/transactions?order_by=id[ASC]&per_page=30&updated_at[GTE]="
                         "2020-01-01T00:00:00Z")):
            begun = time.monotonic()
            self.api(source, path)
            self.assertLess(time.monotonic() - begun, QUICK, path)

    def test_a_webhook_that_is_gone_tells_nobody(self):
        for webhook, status in (("disabled", ["disabled"]), ("missing", []), ("enabled", ["enabled"])):
            self.knob("stand", {"source": STRIPE, "webhook": webhook})
            self.buy()
            found = self.api(STRIPE, "/v1/webhook_endpoints")[1]["data"]
            self.assertEqual([one["status"] for one in found], status)
        self.arrive()
        self.assertEqual(sum(self.states().values()), 1)
        self.assertEqual(len(self.api(STRIPE, "/v1/events")[1]["data"]), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
