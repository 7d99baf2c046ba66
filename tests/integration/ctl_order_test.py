"""What an operator does with one order: read it anew, and find it under whatever id it goes by."""

import json
import unittest

from fake_shop import Answer, FakeShop
from mariadb import MariaDB
from programs import SOURCE, Deployment

ZOE, ADA = "3458764514838398337", "3458764514838398338"
ADDRESS = "zoe@example.test"
HOSTILE = "\u202e12\x1b[2J"
CATALOGUE = {"entitlements": {"icons-pro": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]}]}


def order(number, status="processing", second=0):
    return {"id": number, "status": status, "total": "49.00", "meta_data": [], "refunds": [],
            "billing": {"email": ADDRESS},
            "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "sku": "LIC", "quantity": 1}],
            "date_modified_gmt": f"2026-11-20T10:00:{second:02d}",
            "date_paid_gmt": "2026-11-20T10:00:00"}


class Orders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.shop = self.enterContext(FakeShop())
        self.site = self.enterContext(Deployment(
            self.server, {f"source {SOURCE}": {"api_url": self.shop.url, "api_key_file": "shop.key"}},
            {"shop.key": "ck_1:cs_1\n"}))
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)
        self.site.start_webhook()

    def tearDown(self):
        self.site.ctl("rebuild", "--check")

    def sell(self, number):
        self.shop.order(order(number))
        self.shop.refunds(number, [])
        self.site.deliver_woocommerce(json.dumps(order(number)).encode())
        self.site.worker_once()

    def test_refresh_reads_the_shop(self):
        self.sell(12)
        self.site.ctl("link", ZOE, ADDRESS, "--why", "ticket 7")
        self.assertEqual(self.site.keys(ZOE), ["icons-pro"])
        done = self.site.ctl_json("order", "refresh", SOURCE, "12", "--wait", "0")
        self.assertEqual((done["outcome"], done["changes"]), ("waiting for a worker", 0))
        self.shop.order(order(12, "refunded", 5))
        self.site.start_worker()
        done = self.site.ctl_json("order", "refresh", SOURCE, "12", "--wait", "60")
        self.assertEqual((done["order"], done["outcome"]), ("12", "done"))
        self.assertIsNotNone(done["read_at"])
        self.assertEqual(self.site.keys(ZOE), [])
        self.assertEqual(self.site.ctl_json("order", "show", SOURCE, "12")["status"], "refunded")

    def test_an_assignment_comes_before_all_evidence(self):
        self.sell(12)
        self.site.ctl("link", ADA, ADDRESS, "--why", "ticket 7")
        self.assertEqual((self.site.keys(ADA), self.site.keys(ZOE)), (["icons-pro"], []))
        done = self.site.ctl_json("order", "assign", SOURCE, "12", ZOE, "--why", "bought for Zoe " + HOSTILE)
        self.assertEqual((done["outcome"], done["user"]), ("assigned", ZOE))
        self.assertEqual((self.site.keys(ADA), self.site.keys(ZOE)), ([], ["icons-pro"]))
        self.site.ctl("rebuild", "--check")
        self.assertEqual(self.site.ctl_json("order", "assign", SOURCE, "12", ZOE, "--why", "x")["changes"], 0)
        self.site.deliver_woocommerce(json.dumps(order(12, "completed", 9)).encode())
        self.site.worker_once()
        self.site.ctl("rebuild")
        self.assertEqual((self.site.keys(ADA), self.site.keys(ZOE)), ([], ["icons-pro"]))
        self.assertIn("assigned by an operator", self.site.ctl_json("order", "show", SOURCE, "12")["owner"])
        told = self.site.ctl("order", "show", SOURCE, "12").stdout
        self.assertNotIn("\x1b", told)
        self.assertNotIn("\u202e", told)
        self.site.ctl("order", "unassign", SOURCE, "12", "--why", "a mistake")
        self.assertEqual((self.site.keys(ADA), self.site.keys(ZOE)), (["icons-pro"], []))
        self.site.ctl("order", "unassign", SOURCE, "12", "--why", "again", expected=1)
        actions = [row["action"] for row in self.site.ctl_json("order", "show", SOURCE, "12")["audit"]]
        self.assertEqual((actions.count("assigned"), actions.count("unassigned")), (1, 1))
        for arguments in (["12", ZOE], ["12", "zoe", "--why", "x"]):
            self.site.ctl("order", "assign", SOURCE, *arguments, expected=2)

    def test_all_that_one_has_goes_to_another(self):
        self.sell(12)
        self.sell(13)
        self.site.ctl("link", ZOE, ADDRESS, "--why", "ticket 7")
        self.site.ctl("grant", ZOE, "icons-pro", "--why", "a present")
        self.site.ctl("order", "assign", SOURCE, "13", ZOE, "--why", "hers")
        moved = {"from": ZOE, "to": ADA, "links": 1, "grants": 1, "orders": 1}
        shown = self.site.ctl_json("transfer", ZOE, ADA, "--why", "new account", "--dry-run")
        self.assertEqual(shown, {**moved, "dry_run": True})
        self.assertEqual((self.site.keys(ZOE), self.site.keys(ADA)), (["icons-pro"], []))
        self.assertEqual(self.site.ctl_json("transfer", ZOE, ADA, "--why", "new account"), {**moved, "dry_run": False})
        self.assertEqual((self.site.keys(ZOE), self.site.keys(ADA)), ([], ["icons-pro"]))
        ada = self.site.ctl_json("user", "show", ADA)
        self.assertEqual([row["address"] for row in ada["links"]], [ADDRESS])
        for user in (ZOE, ADA):
            records = self.site.ctl_json("user", "show", user)["audit"]
            self.assertEqual([row["after"] for row in records if row["action"] == "transferred"], ["new account"] * 2)
        self.site.ctl("transfer", ZOE, ADA, "--why", "again", expected=1)
        for arguments in ((ZOE, ZOE, "--why", "x"), (ZOE, "ada", "--why", "x"), (ZOE, ADA)):
            self.site.ctl("transfer", *arguments, expected=2)

    def test_a_shop_that_does_not_answer(self):
        self.sell(12)
        self.shop.answers["/wp-json/wc/v3/orders/12"] = Answer({}, 500)
        self.site.ctl("order", "refresh", SOURCE, "12", "--wait", "1", expected=1)
        self.assertIsNotNone(self.site.ctl_json("order", "show", SOURCE, "12")["reread_due_at"])

    def test_what_is_refused(self):
        self.sell(12)
        for arguments, expected in ((["show", SOURCE, HOSTILE], 1), (["refresh", SOURCE, HOSTILE], 1),
                                    (["refresh", "nowhere", "12"], 1), (["refresh", SOURCE, "13"], 1),
                                    (["refresh", SOURCE, "12", "--wait", "x"], 2),
                                    (["refresh", SOURCE, "1" * 200], 2)):
            with self.subTest(arguments):
                done = self.site.ctl("order", *arguments, expected=expected)
                self.assertNotIn("\x1b", done.stderr)
                self.assertNotIn("\u202e", done.stderr)

    def test_an_alias_says_whose_it_is(self):
        self.sell(12)
        source = self.server.rows(f"SELECT id FROM source WHERE name = '{SOURCE}'", self.site.database)[0][0]
        self.server.sql(f"INSERT INTO order_alias VALUES ({source}, 'pi_{HOSTILE}', '12')", self.site.database)
        shown = self.site.ctl_json("order", "show", SOURCE, f"pi_{HOSTILE}")
        self.assertEqual((shown["order"], shown["alias"]), ("12", f"pi_{HOSTILE}"))
        told = self.site.ctl("order", "show", SOURCE, f"pi_{HOSTILE}").stdout
        self.assertIn("asked for as", told)
        self.assertNotIn("\x1b", told)
        self.assertNotIn("\u202e", told)
        self.assertIsNone(self.site.ctl_json("order", "show", SOURCE, "12")["alias"])


if __name__ == "__main__":
    unittest.main()
