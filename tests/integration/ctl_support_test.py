"""What support does all day: look at a person, at an order, at why, and mend it by hand."""

import hashlib
import json
import unittest

from fake_miro import FakeMiro
from mariadb import MariaDB
from programs import SOURCE, Deployment

ZOE, ADA = "3458764514838398337", "3458764514838398338"
ADDRESS = "zoe.mueller+shop@example.test"
CATALOGUE = {"entitlements": {"icons-pro": {"name": "Icon pack Pro"}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "sku": "ADD-1", "grants": ["extra-boards"]},
                          {"source": "billing", "product": "pro", "grants": ["icons-pro"]}]}


def order(number, lines=((1, 10, "LIC", 1),), status="processing", second=0, refunds=(), email="Zoe.Mueller+shop@Example.Test"):
    return {"id": number, "status": status, "total": "49.00", "meta_data": [],
            "billing": {"email": email},
            "line_items": [{"id": line, "product_id": product, "variation_id": 0, "sku": sku,
                            "quantity": quantity} for line, product, sku, quantity in lines],
            "refunds": [{"id": refund, "total": f"-{amount}.00"} for refund, amount in refunds],
            "date_modified_gmt": f"2026-11-20T10:00:{second:02d}",
            "date_paid_gmt": None if status == "pending" else "2026-11-20T10:00:00"}


class Support(unittest.TestCase):
    """A front and a worker that has done its work; each test asks."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.site = self.enterContext(Deployment(
            self.server, {"source billing": {"provider": "standard", "webhook_secret_file": "billing.secret"}},
            {"billing.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"}))
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)
        self.site.start_webhook()

    def tearDown(self):
        self.site.ctl("rebuild", "--check")
        for program in self.site.programs:
            self.assertNotIn("example.test", program.log_text().lower())

    def sold(self, *orders):
        bodies = [json.dumps(one).encode() for one in orders]
        for body in bodies:
            self.site.deliver_woocommerce(body)
        self.site.worker_once()
        return bodies

    def link(self, user=ZOE, *options, expected=0):
        return self.site.ctl("link", user, "-", "--why", "ticket 7", *options, expected=expected,
                            stdin=f"  {ADDRESS.upper()}\n")

    def explain(self, key, user=ZOE, stdin=""):
        return self.site.ctl_json("explain", user, key, stdin=stdin)

    def test_user_before_and_after_a_link(self):
        self.sold(order(12), order(13, ((1, 99, "", 1),)))
        shown = self.site.ctl_json("user", "show", "-", stdin=ADDRESS + "\n")
        self.assertIsNone(shown["user"])
        self.assertEqual([row["order"] for row in shown["orders"]], ["12", "13"])
        self.assertEqual(self.explain("icons-pro", ADDRESS)["reason"], "never_bought")
        self.link()
        self.assertEqual(self.site.keys(ZOE), ["icons-pro"])
        for who in (ZOE, ADDRESS):
            shown = self.site.ctl_json("user", "show", who)
            self.assertEqual((shown["user"], shown["identity"]), (ZOE, "linked"))
            self.assertEqual([row["key"] for row in shown["entitlements"]], ["icons-pro"])
            self.assertEqual([(row["address"], row["origin"], row["why"]) for row in shown["links"]],
                             [(ADDRESS, "support", "ticket 7")])
            self.assertEqual({row["order"]: row["unmapped_lines"] for row in shown["orders"]},
                             {"12": 0, "13": 1})
        self.site.ctl("unlink", "-", "--why", "it was wrong", stdin=ADDRESS)
        self.assertEqual(self.site.keys(ZOE), [])
        self.site.ctl("unlink", ADDRESS, "--why", "again", expected=1)

    def test_an_address_that_somebody_holds(self):
        self.sold(order(12))
        self.link()
        done = self.link(ADA, expected=1)
        self.assertIn(ZOE, done.stderr)
        self.assertNotIn("@", done.stderr)
        shown = self.site.ctl_json("user", "show", ADA)
        self.assertEqual([(row["address"], row["holder"]) for row in shown["contested"]], [(ADDRESS, ZOE)])
        self.link(ADA, "--take")
        self.assertEqual((self.site.keys(ADA), self.site.keys(ZOE)), (["icons-pro"], []))

    def test_wrong_people(self):
        for arguments in (["user", "show", "zoe"], ["user", "show", "-"], ["explain", "1 2", "k"],
                          ["user", "show", "a@b@c"], ["link", "zoe", ADDRESS, "--why", "x"],
                          ["link", ZOE, "no address", "--why", "x"], ["link", ZOE, ADDRESS],
                          ["unlink", ADDRESS, "--why", ""], ["user", "show", "1" * 33]):
            with self.subTest(arguments):
                self.site.ctl(*arguments, expected=2)
        self.site.ctl("grant", "nobody@example.test", "icons-pro", "--why", "x", expected=1)
        shown = self.site.ctl_json("user", "show", "42")
        self.assertEqual((shown["known"], shown["identity"]), (False, "not_installed"))

    def test_tokens_are_told_of_but_never_shown(self):
        with FakeMiro() as miro:
            self.site.configure({"miro": miro.settings()})
            self.site.stop_program(self.site.programs[0])
            self.site.start_webhook()
            miro.token(user=ZOE, team="7")
            miro.profile(user=ZOE, email=ADDRESS)
            status, _, _ = self.site.request("GET", "/oauth/callback?code=c-1&client_id=1&team_id=7")
            self.assertEqual(status, 302)
        shown = self.site.ctl_json("user", "show", ZOE)
        self.assertEqual([(row["team"], row["state"]) for row in shown["tokens"]], [("7", "valid")])
        text = self.site.ctl("user", "show", ZOE).stdout
        for secret in (f"access-{ZOE}", f"refresh-{ZOE}"):
            self.assertNotIn(secret, text + json.dumps(shown))
        self.assertEqual([row["address"] for row in shown["links"]], [ADDRESS])

    def test_grants(self):
        told = self.site.ctl_json("grant", ZOE, "icons-pro", "--why", "a gift", "--until", "2099-01-01")
        self.assertEqual(told["ends_at"], "2099-01-01T00:00:00Z")
        self.assertEqual(self.site.entitlements(ZOE)["entitlements"][0]["expires_at"], "2099-01-01T00:00:00Z")
        explained = self.explain("icons-pro")
        self.assertEqual([(row["grant"], row["why"]) for row in explained["grants"]], [(told["grant"], "a gift")])
        self.assertTrue(explained["entitled"])
        self.site.ctl("revoke", told["grant"], "--why", "a mistake")
        self.site.ctl("revoke", told["grant"], "--why", "again", expected=1)
        self.assertEqual(self.site.keys(ZOE), [])
        self.site.ctl("grant", ZOE, "nope", "--why", "x", expected=1)
        for options in (["--until", "soon", "--why", "x"], ["--until", "2020-01-01", "--why", "x"], []):
            self.site.ctl("grant", ZOE, "icons-pro", *options, expected=2)
        self.site.ctl("revoke", "xyz", "--why", "x", expected=2)
        self.assertEqual([row["action"] for row in self.site.ctl_json("user", "show", ZOE)["audit"]][:1] != [], True)

    def test_order_and_the_chain_down_to_the_signed_bytes(self):
        bodies = self.sold(order(12, ((1, 10, "LIC", 1), (2, 11, "ADD-1", 3), (3, 99, "", 1))))
        self.link()
        shown = self.site.ctl_json("order", "show", SOURCE, "12")
        self.assertEqual((shown["status"], shown["disputed"]), ("paid", False))
        self.assertTrue(shown["owner"].startswith(ADDRESS))
        self.assertEqual([(row["key"], row["quantity"], row["state"]) for row in shown["contributions"]],
                         [("icons-pro", 1, "active"), ("extra-boards", 3, "active")])
        self.assertEqual([row["mapped"] for row in shown["lines"]], [True, True, False])
        self.assertEqual([row["wins"] for row in shown["snapshots"]], [True])
        self.assertEqual([row["cause"] for row in shown["audit"]], ["delivery", "delivery"])
        delivery = shown["deliveries"][0]["id"]

        explained = self.explain("extra-boards")
        self.assertEqual((explained["entitled"], explained["reason"]), (True, "active"))
        link, = explained["contributions"]
        self.assertEqual(link["rule"], f"{SOURCE} sku=ADD-1: extra-boards")
        self.assertEqual((link["delivery"], link["body_sha256"]),
                         (delivery, hashlib.sha256(bodies[0]).hexdigest()))
        text = self.site.ctl("explain", ZOE, "extra-boards").stdout
        self.assertIn(hashlib.sha256(bodies[0]).hexdigest(), text)

    def test_why_not(self):
        self.sold(order(12, ((1, 10, "LIC", 1),), status="pending"),
                  order(13, ((1, 99, "", 1),)))
        self.assertEqual(self.explain("icons-pro")["missing"][0]["what"][:10], "no address")
        self.link()
        told = self.explain("icons-pro")
        self.assertEqual(told["reason"], "pending")
        self.assertEqual(told["contributions"][0]["cause"], "the order is not paid yet")
        told = self.explain("extra-boards")
        self.assertEqual(told["reason"], "never_bought")
        self.assertTrue(any("order 13" in row["what"] for row in told["missing"]), told)
        told = self.explain("nope")
        self.assertEqual(told["reason"], "unknown_key")
        self.assertIn("extra-boards icons-pro", told["missing"][0]["what"])
        self.assertEqual(self.explain("icons-pro", "42")["identity"], "not_installed")

    def test_refunds_name_themselves_and_what_was_not_fetched(self):
        self.sold(order(12, ((1, 10, "LIC", 2),), refunds=((13, 20),)))
        self.link()
        link, = self.explain("icons-pro")["contributions"]
        self.assertEqual(link["note"], "granted on what the signed payload proves; refund lines were not "
                                       "fetched (no API key)")
        self.sold(order(12, ((1, 10, "LIC", 2),), "refunded", 5, ((13, 20), (14, 29))))
        told = self.explain("icons-pro")
        self.assertEqual(told["reason"], "refunded")
        self.assertEqual(told["contributions"][0]["cause"], "refunded by refund 13, 14")
        self.assertIsNone(told["contributions"][0]["note"])

    def test_a_chargeback(self):
        event = {"type": "order.updated", "timestamp": "2026-11-20T10:00:00Z",
                 "data": {"id": "A-1", "status": "disputed", "email": ADDRESS,
                          "lines": [{"id": "1", "product": "pro", "quantity": 1}]}}
        self.site.deliver_standard(event, "billing")
        self.site.worker_once()
        self.link()
        told = self.explain("icons-pro")
        self.assertEqual(told["reason"], "disputed")
        self.assertEqual(told["contributions"][0]["cause"],
                         "the shop says that the order is disputed")
        self.assertTrue(self.site.ctl_json("order", "show", "billing", "A-1")["disputed"])

    def test_orders_that_are_not_there(self):
        self.site.ctl("order", "show", SOURCE, "12", expected=1)
        self.assertIn(SOURCE, self.site.ctl("order", "show", "nowhere", "12", expected=1).stderr)
        self.site.ctl("order", "show", SOURCE, "9" * 200, expected=2)

    def test_deliveries(self):
        body = b'{"id": 12, "status": "processing\x1b[31m"'
        self.site.deliver_woocommerce(body)
        self.sold(order(13))
        listed = self.site.ctl_json("deliveries", "list")
        self.assertEqual({row["state"] for row in listed}, {"set_aside", "done"})
        aside, = self.site.ctl_json("deliveries", "list", "--state", "set_aside")
        self.assertEqual((aside["reason"], aside["source"]), ("malformed", SOURCE))
        self.assertEqual(len(self.site.ctl_json("deliveries", "list", "--limit", "1")), 1)
        shown = self.site.ctl_json("deliveries", "show", str(aside["id"]))
        self.assertEqual((shown["body"].encode(), shown["body_sha256"]), (body, hashlib.sha256(body).hexdigest()))
        text = self.site.ctl("deliveries", "show", str(aside["id"])).stdout
        self.assertIn("\\x1b[31m", text)
        self.assertNotIn("\x1b", text)
        self.site.ctl("deliveries", "replay", str(aside["id"]), "999999", expected=1)
        self.assertEqual(self.site.ctl_json("deliveries", "list", "--state", "pending")[0]["id"], aside["id"])
        self.site.worker_once()
        self.site.deliver_woocommerce(b"")
        empty = self.site.ctl_json("deliveries", "list", "--limit", "1")[0]["id"]
        shown = self.site.ctl_json("deliveries", "show", str(empty))
        self.assertEqual((shown["body"], shown["body_opened"], shown["body_bytes"]), ("", True, 0))
        self.site.ctl("deliveries", "show", "999999", expected=1)
        for arguments in (["list", "--state", "odd"], ["list", "--limit", "0"], ["show", "x"], ["replay", "1", "x"]):
            self.site.ctl("deliveries", *arguments, expected=2)

    def test_what_a_stranger_wrote_moves_no_cursor(self):
        evil = "x\x1b[2J\x7f\u009b31m\u00e9"
        self.sold(order(12, ((1, 99, evil, 1),)))
        self.site.ctl("grant", ZOE, "icons-pro", "--why", evil)
        for arguments in (["deliveries", "show", "1"], ["user", "show", ZOE]):
            text = self.site.ctl(*arguments).stdout
            for control in ("\x1b", "\x7f", "\u009b"):
                self.assertNotIn(control, text)
            self.assertIn("\u00e9", text)

    def test_a_body_that_the_keyring_does_not_open(self):
        self.site.deliver_woocommerce(order(12))
        self.site.sql("UPDATE delivery SET body = CONCAT(LEFT(body, 20), 'xxxxxxxxxxxxxxxxxxxx')")
        done = self.site.ctl("deliveries", "show", "1", expected=1)
        self.assertIn("does not open", done.stderr)
        self.site.sql("DELETE FROM delivery")


if __name__ == "__main__":
    unittest.main()
