"""POST /v1/checkout, and what the reference does in an order."""

import json
import re
import time
import unittest

from mariadb import MariaDB
from programs import Deployment, new_standard_secret, wait_for

USER = "3458764514838398337"
OTHER = "3458764514838398338"
TEAM = "3458764514838398336"
ORIGIN = "https://plugin.example.com"
CATALOGUE = {
    "entitlements": {"icons-pro": {"name": "Icon pack Pro"}, "boards": {}},
    "products": [
        {"source": "bare", "product": "10", "grants": ["icons-pro"],
         "checkout_url": "https://shop.example.com/buy?item=10&miro_reference={reference}"},
        {"source": "bare", "sku": "BOARDS", "grants": ["boards"]},
        {"source": "bare", "product": "77", "ignore": True},
        {"source": "other", "product": "10", "grants": ["icons-pro"]}]}


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Checkout(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.shop = Deployment(
            cls.server,
            {name: {"provider": "standard", "webhook_secret_file": f"{name.split()[1]}.secret"}
             for name in ("source bare", "source other")},
            {f"{name}.secret": new_standard_secret() + "\n" for name in ("bare", "other")})
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.shop.apply_catalogue(CATALOGUE)
        cls.webhook = cls.shop.start_webhook()
        wait_for(lambda: "catalogue read version=1" in cls.webhook.log_text(), 30, "the catalogue")

    def post(self, body, user=USER, headers=None):
        head = self.shop.bearer(user, TEAM)
        head.update(headers or {})
        return self.shop.request_json("POST", "/v1/checkout",
                                      body if isinstance(body, bytes) else json.dumps(body), head)

    def reference(self, product="10", source="bare", user=USER):
        status, _, answer = self.post({"source": source, "product": product}, user)
        self.assertEqual(status, 200, answer)
        return answer["reference"]

    def order(self, number, reference, product="10", sku=None, source="bare"):
        """An order that tells no address, paid now."""
        now = int(time.time())
        self.shop.deliver_standard(
            {"type": "order.updated", "timestamp": stamp(now),
             "data": {"id": number, "status": "paid", "paid_at": stamp(now),
                      "lines": [{"id": "1", "product": product, "sku": sku, "quantity": 1}],
                      "metadata": {"miro_reference": reference}}}, source)
        self.shop.worker_once()
        return self.shop.sql("SELECT reference_state FROM order_snapshot"
                             f" WHERE order_id = '{number}'").strip()

    def test_the_answer(self):
        status, headers, answer = self.post({"source": "bare", "product": "10"},
                                            headers={"Origin": ORIGIN})
        self.assertEqual(status, 200)
        self.assertEqual(sorted(answer), ["reference", "url"])
        self.assertRegex(answer["reference"], re.compile(r"\A[A-Za-z0-9_-]{1,200}\Z"))
        self.assertEqual(answer["url"], "https://shop.example.com/buy?item=10&miro_reference="
                         + answer["reference"])
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["Access-Control-Allow-Origin"], ORIGIN)

    def test_a_rule_without_an_address(self):
        answer = self.post({"source": "bare", "product": "BOARDS"})[2]
        self.assertIsNone(answer["url"])
        self.assertTrue(answer["reference"])

    def test_refusals(self):
        for code, status, body in (
                ("unknown_source", 404, {"source": "nobody", "product": "10"}),
                ("unknown_product", 404, {"source": "bare", "product": "11"}),
                ("unknown_product", 404, {"source": "bare", "product": "77"}),
                ("unknown_product", 404, {"source": "main-store", "product": "10"}),
                ("body_invalid", 400, b""),
                ("body_invalid", 400, b"{"),
                ("body_invalid", 400, b"[]"),
                ("body_invalid", 400, b'{"source":"bare","product":"10"} x'),
                ("body_invalid", 400, {"source": "bare"}),
                ("body_invalid", 400, {"source": "bare", "product": 10}),
                ("body_invalid", 400, {"source": "bare", "product": ""}),
                ("body_invalid", 400, {"source": "bare", "product": "1\r\n0"}),
                ("body_invalid", 400, {"source": "bare", "product": "x" * 192}),
                ("body_invalid", 400, {"source": "bare", "product": "10", "x": "y" * 4096})):
            got, headers, answer = self.post(body)
            self.assertEqual((got, answer["code"]), (status, code), body)
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            self.assertEqual(headers["Cache-Control"], "no-store")

    def test_tokens_and_methods(self):
        body = json.dumps({"source": "bare", "product": "10"})
        for headers, code in (({}, "token_missing"),
                              ({"Authorization": "Bearer x.y.z"}, "token_invalid"),
                              (self.shop.bearer(USER, TEAM, exp=1), "token_expired")):
            status, _, answer = self.shop.request_json("POST", "/v1/checkout", body, headers)
            self.assertEqual((status, answer["code"]), (401, code))
        status, headers, _ = self.shop.request_json("GET", "/v1/checkout")
        self.assertEqual((status, headers["Allow"]), (405, "POST, OPTIONS"))
        status, headers, _ = self.shop.request(
            "OPTIONS", "/v1/checkout", headers={"Origin": ORIGIN})
        self.assertEqual(status, 204)
        self.assertIn("POST", headers["Access-Control-Allow-Methods"])

    def test_an_order_without_an_address_unlocks(self):
        user = "3458764514838390001"
        self.assertEqual(self.order("A-1", self.reference(user=user)), "valid")
        self.assertEqual(self.shop.keys(user, TEAM), ["icons-pro"])

    def test_by_another_selector(self):
        user = "3458764514838390002"
        self.assertEqual(self.order("A-2", self.reference("BOARDS", user=user), "55", "BOARDS"),
                         "valid")
        self.assertEqual(self.shop.keys(user, TEAM), ["boards"])

    def test_what_it_is_not_good_for(self):
        user = "3458764514838390003"
        good = self.reference(user=user)
        flipped = good[:30] + ("A" if good[30] != "A" else "B") + good[31:]
        self.assertEqual(self.order("B-1", self.reference("10", "other", user)), "invalid")
        self.assertEqual(self.order("B-2", good, "11"), "invalid")
        self.assertEqual(self.order("B-3", good, source="other"), "invalid")
        self.assertEqual(self.order("B-4", flipped), "invalid")
        self.assertEqual(self.shop.keys(user, TEAM), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
