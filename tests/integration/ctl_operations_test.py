"""migrate, doctor, rebuild and trigger: an installation from its first minute, and its checks."""

import base64
import json
import secrets
import subprocess
import time
import unittest

from fake_shop import Answer, FakeServer, FakeShop
from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path
from waiting import wait_for

CATALOGUE = {"entitlements": {"icons-pro": {"name": "Icon pack Pro"}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]}]}
STANDING = ("SELECT order_id, line_id, entitlement_key, HEX(subject), state, quantity, starts_at"
            " FROM contribution ORDER BY order_id, line_id")
NOT_LIVE = {f"source {SOURCE}": {"live": "false"}}


class Migrate(unittest.TestCase):
    """The schema, the index key and the sources, made once however often and by however many."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.site = self.enterContext(Deployment(self.server))

    def test_twice(self):
        self.assertIn("001_initial", self.site.migrate().stdout)
        key = self.site.sql("SELECT HEX(sealed) FROM sealed_key")
        self.assertEqual(self.site.migrate().stdout, "up to date\n")
        self.assertEqual(self.site.ctl_json("migrate"), {"applied": [], "index_key_made": False})
        self.assertEqual(self.site.sql("SELECT HEX(sealed) FROM sealed_key"), key)
        self.assertEqual(self.site.sql("SELECT name FROM source"), SOURCE + "\n")

    def test_from_several_hosts_at_once(self):
        command = [program_path("purchasectl"), "--config", self.site.config, "migrate"]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for _ in range(4)]
        for program in running:
            _, complaint = program.communicate(timeout=120)
            self.assertEqual(program.returncode, 0, complaint)
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM sealed_key"), "1\n")
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM source"), "1\n")

    def test_other_verbs_ask_for_it(self):
        for arguments in (["rebuild"], ["user", "show", "1"], ["catalog", "show"]):
            self.assertIn("purchasectl migrate", self.site.ctl(*arguments, expected=1).stderr)

    def test_a_source_that_is_configured_later(self):
        self.site.migrate()
        self.site.write("second.secret", "second\n")
        self.site.configure({"source second": {"provider": "standard", "webhook_secret_file": "second.secret"}})
        self.site.migrate()
        self.assertEqual(self.site.sql("SELECT name FROM source ORDER BY name"), f"{SOURCE}\nsecond\n")

    def test_the_keyring_of_another_installation(self):
        self.site.migrate()
        self.site.write("keyring", "1:" + base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        for arguments in (["migrate"], ["user", "show", "1"]):
            self.assertIn("keyring", self.site.ctl(*arguments, expected=78).stderr)
        self.assertIn("no key of the keyring opens it", self.site.ctl("doctor", expected=1).stdout)


class Doctor(unittest.TestCase):
    """Each finding says what it is, and what to do."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.miro = self.enterContext(FakeServer())
        self.miro.answers["/v1/oauth-token"] = Answer({"status": 401, "code": "tokenNotProvided"}, 401)
        self.shop = self.enterContext(FakeShop())
        self.site = self.enterContext(Deployment(
            self.server, {"miro": {"api_url": self.miro.url, "profile_url": self.miro.url + "/v1/users/me"},
                          f"source {SOURCE}": {"api_url": self.shop.url, "api_key_file": "shop.key"}},
            {"shop.key": "ck_1:cs_1\n"}))
        self.shop.answers["/wp-json/wc/v3/orders"] = []

    def findings(self, expected=0):
        done = self.site.ctl("doctor", "--json", expected=expected)
        return json.loads(done.stdout)

    def found(self, about, level, words, expected=1):
        findings = self.findings(expected)
        match = [row for row in findings if row["about"] == about and row["finding"] == level
                 and words in row["what"]]
        self.assertTrue(match, findings)
        if level != "ok":
            self.assertTrue(all(row["remedy"] for row in match), match)
        return match

    def healthy(self):
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)
        return self.site.start_webhook()

    @staticmethod
    def troubles(findings):
        """What is not well; how many descriptors it grants is this host's affair."""
        return [row for row in findings
                if row["finding"] != "ok" and row["about"] != "file descriptors"]

    def test_all_is_well(self):
        self.healthy()
        self.site.deliver_woocommerce({"id": 1, "status": "completed", "total": "1.00",
                                      "billing": {"email": "zoe@example.test"}, "refunds": [],
                                      "line_items": [{"id": 1, "product_id": 10, "quantity": 1}],
                                      "date_modified_gmt": "2026-11-20T10:00:00"})
        self.site.worker_once()
        findings = self.findings()
        self.assertEqual([row["what"] for row in self.troubles(findings)],
                         ["no resync ever succeeded: orders whose webhooks were lost are not known"])
        self.site.sql("UPDATE resync_source SET last_success_at = UNIX_TIMESTAMP() * 1000000")
        self.site.sql("INSERT IGNORE INTO resync_source (source_id, last_success_at)"
                      " SELECT id, UNIX_TIMESTAMP() * 1000000 FROM source")
        findings = self.findings()
        self.assertEqual(self.troubles(findings), [])
        asked = self.shop.requests[-1]
        self.assertEqual((asked.path, asked.query), ("/wp-json/wc/v3/orders", "per_page=1"))
        self.assertTrue(asked.headers["Authorization"].startswith("Basic "))
        text = self.site.ctl("doctor").stdout
        self.assertIn(" 0 wrong", text)
        for secret in ("cs_1", self.site.miro_secret, self.site.secret(SOURCE)):
            self.assertNotIn(secret, text)

    def test_before_anything_was_set_up(self):
        self.found("schema", "error", "none yet")
        self.site.migrate()
        self.found("catalogue", "warn", "none was applied")
        self.found(f"source {SOURCE}", "warn", "no delivery ever came")
        self.found("public_url", "error", "not reachable")

    def test_a_database_that_is_away(self):
        self.site.configure({"database": {"socket": "/nowhere/s"}})
        self.found("database", "error", "cannot be reached")

    def test_a_database_across_the_network_in_clear(self):
        with MariaDB(tcp=True, options=["--skip-ssl"]) as server:
            server.database(self.site.database)
            self.site.configure({"database": {"socket": None, "host": "127.0.0.1", "port": server.port}})
            self.found("database", "warn", "TCP in clear")

    def test_a_database_that_loses_commits(self):
        self.site.migrate()
        self.server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2")
        try:
            self.found("durability", "error", "is 2")
        finally:
            self.server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1")

    def test_shop_answers(self):
        self.healthy()
        for answer, words in ((Answer({"code": "woocommerce_rest_cannot_view"}, 401), "refuses the key (401)"),
                              (Answer(b"<html>", 200, {"Content-Type": "text/html"}), "no JSON"),
                              (Answer({}, 500), "answers 500"), (Answer(close=True), "not reachable")):
            with self.subTest(words):
                self.shop.answers["/wp-json/wc/v3/orders"] = answer
                self.found(f"source {SOURCE}", "error", words)

    def test_without_an_api(self):
        self.site.configure({f"source {SOURCE}": {"api_url": None, "api_key_file": None}})
        self.healthy()
        self.found(f"source {SOURCE}", "warn", "no API: which lines", 0)

    def test_miro_that_is_somebody_else(self):
        self.miro.answers["/v1/oauth-token"] = Answer({}, 200)
        self.healthy()
        self.found("miro", "warn", "answers 200", 0)

    def test_what_the_worker_could_not_use(self):
        self.healthy()
        self.site.deliver_woocommerce(b"not json")
        self.site.deliver_woocommerce({"id": 2, "status": "completed", "total": "1.00", "refunds": [],
                                      "billing": {"email": "zoe@example.test"},
                                      "line_items": [{"id": 1, "product_id": 99, "quantity": 1}],
                                      "date_modified_gmt": "2026-11-20T10:00:00"})
        self.site.worker_once()
        self.found(f"source {SOURCE}", "warn", "1 set aside as malformed", 0)
        self.found("unmapped product", "warn", "product 99", 0)

    def test_a_rule_whose_source_went_away(self):
        self.healthy()
        name = f"source {SOURCE}"
        self.site.write("new.secret", "new\n")
        self.site.configure({name: None, "source new": {"provider": "standard", "webhook_secret_file": "new.secret"}})
        self.found("catalogue", "warn", SOURCE, 0)

    def test_a_spool_that_cannot_be_written(self):
        self.healthy()
        self.site.configure({"server": {"state_dir": self.site.path("keyring")}})
        self.found("state_dir", "error", "no file can be made")


class Rebuild(unittest.TestCase):
    """Contributions are a function of facts and catalogue: whatever else stands there is drift."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.site = self.enterContext(Deployment(self.server, NOT_LIVE))
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)
        self.site.start_webhook()

    def sold(self, count):
        for number in range(1, count + 1):
            self.site.ctl("trigger", SOURCE, "paid", "--order", str(number), "--email", "-",
                         stdin=f"b{number}@example.test")
        self.site.worker_once()

    def test_drift_is_found_and_mended(self):
        self.sold(3)
        self.assertEqual(self.site.ctl("rebuild", "--check").stdout, "3 orders, 0 drifted in 0 contributions\n")
        for harm, where in (("DELETE FROM contribution WHERE order_id = '1'", ["1"]),
                            ("UPDATE contribution SET quantity = 9 WHERE order_id = '2'", ["2"]),
                            ("UPDATE contribution SET state = 'refunded' WHERE order_id = '3'", ["3"]),
                            ("INSERT INTO contribution SELECT source_id, order_id, 'x', entitlement_key, subject,"
                             " subject_kind, team_id, state, quantity, starts_at, ends_at, grace_until,"
                             " catalogue_version FROM contribution WHERE order_id = '2'", ["2"])):
            with self.subTest(harm):
                before = self.site.sql(STANDING)
                self.site.sql(harm)
                done = self.site.ctl("rebuild", "--check", "--json", expected=1)
                self.assertEqual([row["order"] for row in json.loads(done.stdout)["drift"]], where)
                self.site.ctl("rebuild", "--check", expected=1)
                self.site.ctl("rebuild")
                self.site.ctl("rebuild", "--check")
                self.assertEqual(self.site.sql(STANDING), before)

    def test_more_orders_than_a_step(self):
        """Orders by the hundred, written as the worker would leave them, are all walked."""
        self.sold(1)
        self.site.sql("INSERT INTO shop_order (source_id, order_id, first_seen_at, catalogue_version)"
                     " SELECT source_id, CONCAT('n', seq), 0, 1 FROM shop_order, seq_1_to_600")
        self.assertIn("601 orders", self.site.ctl("rebuild", "--check").stdout)
        self.site.sql("DELETE FROM shop_order WHERE order_id LIKE 'n%'")

    def test_a_catalogue_that_the_worker_has_not_redone(self):
        self.sold(2)
        wider = {"entitlements": {"icons-pro": {}, "more": {}},
                 "products": CATALOGUE["products"] + [{"source": SOURCE, "product": "10", "grants": ["more"]}]}
        self.site.apply_catalogue(wider)
        self.assertIn("older catalogue", self.site.ctl("rebuild", "--check", expected=1).stderr)
        self.site.worker_once()
        self.site.ctl("rebuild", "--check")


# What becomes of every sample of a shop without an API (gumroad: of one that knows no such sale): (the shop's name of
# the event, why the delivery is set aside, what the order gives to the buyer whom it names, or None).
SAMPLES = {
    "woocommerce": {
        "paid": ("order.updated", None, "active"),
        "order.pending": ("order.updated", None, "pending"),
        "cancelled": ("order.updated", None, "cancelled"),
        "refunded": ("order.updated", None, "refunded"),
    },
    "shopify": {
        "orders/paid": ("orders/updated", None, "active"),
        "pending": ("orders/updated", None, "pending"),
        "cancelled": ("orders/updated", None, "cancelled"),
        "refunded": ("orders/updated", None, "refunded"),
        "disputed": ("disputes/create", None, None),
    },
    "stripe": {
        "paid": ("checkout.session.completed", "needs_api_key", None),
        "pending": ("checkout.session.completed", None, None),
        "cancelled": ("checkout.session.expired", None, None),
        "refunded": ("charge.refunded", "needs_api_key", None),
        "disputed": ("charge.dispute.created", "needs_api_key", None),
        "checkout.session.async_payment_succeeded":
            ("checkout.session.async_payment_succeeded", "needs_api_key", None),
        "checkout.session.async_payment_failed":
            ("checkout.session.async_payment_failed", None, None),
        "refund.created": ("refund.created", "needs_api_key", None),
        "charge.dispute.closed": ("charge.dispute.closed", None, None),
    },
    "paddle": {
        "paid": ("transaction.completed", "needs_api_key", None),
        "transaction.paid": ("transaction.paid", "needs_api_key", None),
        "pending": ("transaction.billed", None, None),
        "cancelled": ("transaction.canceled", None, None),
        "refunded": ("adjustment.updated", None, None),
        "disputed": ("adjustment.created", None, None),
    },
    "lemonsqueezy": {
        "order_created": ("order_created", None, "active"),
        "pending": ("order_created", None, "pending"),
        "refunded": ("order_refunded", None, "refunded"),
    },
    "gumroad": {
        "sale": ("sale", "fetch_failed", None),
        "refunded": ("refund", "fetch_failed", None),
        "disputed": ("dispute", "fetch_failed", None),
        "dispute_won": ("dispute_won", "fetch_failed", None),
    },
    "fastspring": {
        "paid": ("order.completed", None, "active"),
        "pending": ("order.payment.pending", None, "pending"),
        "cancelled": ("order.canceled", None, "cancelled"),
        "order.failed": ("order.failed", None, "cancelled"),
        "refunded": ("return.created", None, None),
        "disputed": ("chargeback.created", None, None),
    },
    "standard": {
        "paid": ("order.updated", None, "active"),
        "pending": ("order.updated", None, "pending"),
        "cancelled": ("order.updated", None, "cancelled"),
        "refunded": ("order.updated", None, "refunded"),
        "disputed": ("order.updated", None, "disputed"),
    },
}
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ADDRESS_SECRET = "known/only to the shop"  # of gumroad: a part of its address, where it has to be escaped


class Trigger(unittest.TestCase):
    """A signed sample of every kind of shop walks the whole way; never into a live shop."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.shop = self.enterContext(FakeServer())
        self.run_ = self.enterContext(Deployment(self.server, {f"source {SOURCE}": None}))
        for provider in SAMPLES:
            secret = {"standard": STANDARD_SECRET, "gumroad": ADDRESS_SECRET}.get(provider, f"{provider} secret")
            self.run_.write(f"{provider}.secret", secret + "\n")
            self.run_.configure({f"source {provider}": {"provider": provider, "live": "false",
                                                        "webhook_secret_file": f"{provider}.secret"}})
        self.give_api("gumroad", self.shop.url)
        self.shop.answers["/v2/sales/7"] = Answer({"success": False, "message": "The sale was not found."}, 404)
        self.run_.migrate()
        self.run_.apply_catalogue({"entitlements": {"icons-pro": {}}, "products": [
            {"source": provider, "product": "pri_10" if provider == "paddle" else "10", "grants": ["icons-pro"]}
            for provider in SAMPLES]})

    def give_api(self, provider, url):
        self.run_.write(f"{provider}.key", "key-of-the-shop\n")
        self.run_.configure({f"source {provider}": {"api_url": url, "api_key_file": f"{provider}.key"}})

    def trigger(self, provider, event, order, *more, stdin=""):
        told = self.run_.ctl_json("trigger", provider, event, "--order", str(order), *more, stdin=stdin)
        self.assertEqual((told["status"], told["source"], told["order"]), (200, provider, str(order)))
        return told

    def outcomes(self):
        """Of every delivery, oldest first: (source, why it was set aside or None)."""
        rows = self.run_.ctl_json("deliveries", "list", "--limit", "100")
        self.assertLessEqual({row["state"] for row in rows}, {"done", "set_aside"})
        return [(row["source"], row["reason"]) for row in sorted(rows, key=lambda row: row["id"])]

    def test_every_provider_and_event(self):
        self.shop.answers.update({f"/v2/sales/{number}": Answer({"success": False}, 404) for number in range(100, 110)})
        self.run_.start_webhook()
        wanted, states = [], {}
        for provider, events in SAMPLES.items():
            for number, (event, (kind, reason, state)) in enumerate(events.items(), 100):
                with self.subTest(provider=provider, event=event):
                    told = self.trigger(provider, event, number)
                    self.assertEqual(told["type"], kind)
                    notes = "\n".join(note["note"] for note in told["notes"] if note["essential"])
                    self.assertEqual("without an API key" in notes, reason == "needs_api_key")
                    self.assertEqual("if the shop does not know it" in notes, reason == "fetch_failed")
                wanted.append((provider, reason))
                if state:
                    states[provider, str(number)] = state
        self.run_.worker_once()
        self.assertEqual(self.outcomes(), wanted)
        found = self.server.rows("SELECT s.name, c.order_id, c.state FROM contribution c"
                                 " JOIN source s ON s.id = c.source_id", self.run_.database)
        self.assertEqual({(source, order): state for source, order, state in found}, states)

    def buy(self, provider, order, user):
        """A sample of a purchase unlocks; the buyer has an address of his own."""
        email = f"buyer.{user}@example.test"
        self.run_.ctl("link", user, "-", "--why", "test", stdin=email)
        told = self.trigger(provider, "paid", order, "--email", "-", stdin=email.title())
        self.run_.worker_once()
        self.assertEqual(self.run_.keys(user), ["icons-pro"], (provider, told))
        return email

    def test_a_purchase_and_its_end(self):
        """Where the delivery, or the shop's answer, tells everything, a sample gives and another takes."""
        self.shop.answers["/v1/checkout/sessions/cs_test_7/line_items"] = self.shop.answers[
            "/v1/checkout/sessions/cs_test_8/line_items"] = {"object": "list", "has_more": False, "data": [
                {"id": "li_1", "object": "item", "quantity": 1, "price": {"id": "price_1", "product": "10"}}]}
        self.shop.answers["/v1/refunds"] = {"object": "list", "has_more": False, "data": [
            {"id": "re_7", "object": "refund", "amount": 4900, "currency": "usd", "charge": "ch_7",
             "payment_intent": "pi_7", "status": "succeeded"}]}
        for number, provider in enumerate(SAMPLES, 1):
            for order in "78":
                user = f"345876451483839{number:02}{order}0"
                self.shop.answers[f"/customers/ctm_{number}{order}"] = {
                    "data": {"id": f"ctm_{number}{order}", "email": f"buyer.{user}@example.test"}}
        for provider in ("stripe", "paddle"):
            self.give_api(provider, self.shop.url)
        self.run_.start_webhook()
        for number, (provider, events) in enumerate(SAMPLES.items(), 1):
            if provider == "gumroad":
                continue
            for event, order in (("refunded", "7"), ("disputed", "8")):
                if event not in events:
                    continue
                user = f"345876451483839{number:02}{order}0"
                named = f"{number}{order}" if provider == "paddle" else order
                with self.subTest(provider=provider, event=event):
                    email = self.buy(provider, named, user)
                    told = self.trigger(provider, event, named, "--email", email)
                    self.assertEqual([note for note in told["notes"] if note["essential"]], [])
                    self.run_.worker_once()
                    self.assertEqual(self.run_.keys(user), [])
                    self.assertEqual(self.run_.entitlement("icons-pro", user)["reason"], event)
        self.assertEqual({reason for _, reason in self.outcomes()}, {None})

    def test_a_hint_to_read_a_sale(self):
        """A ping gives nothing by itself: the shop's answer does. Its address is a secret."""
        self.give_api("gumroad", f"http://127.0.0.1:{self.run_.sandbox_port}/shops/gumroad")
        front = self.run_.start_webhook()
        sandbox = self.run_.start_sandbox()
        self.run_.ctl("link", "42", "-", "--why", "test", stdin="tim@example.test")

        def knob(path, body):
            status, _, answer = self.run_.request_json(
                "POST", f"/sandbox/api/{path}", json.dumps(dict(body, source="gumroad", silent=True)).encode(),
                {"Content-Type": "application/json"}, port=self.run_.sandbox_port)
            self.assertEqual(status, 200, answer)
            return answer

        knob("stand", {"bucket": 10**9})
        sale = knob("sales", {"email": "tim@example.test", "items": [{"product": "10"}]})
        order = f"S{sale['items'][0]['item']}=="
        shown = []
        for event, keys in (("paid", ["icons-pro"]), ("disputed", []), ("dispute_won", ["icons-pro"]),
                            ("refunded", [])):
            step = {"disputed": ("dispute", {}), "dispute_won": ("dispute-close", {"won": True}),
                    "refunded": ("refund", {"all": True})}.get(event)
            if step:
                knob(f"sales/{sale['id']}/{step[0]}", step[1])
            # Which of two answers is the later, the shop says by the second.
            last = int(time.time())
            wait_for(lambda: int(time.time()) > last, 5, "the next second")
            done = self.run_.ctl("trigger", "gumroad", event, "--order", order, "--email", "somebody@else.test")
            self.assertIn("will ask the shop for the order", done.stdout)
            shown.append(done.stdout + done.stderr)
            self.run_.worker_once()
            self.assertEqual(self.run_.keys("42"), keys, event)
        self.assertEqual(self.outcomes(), [("gumroad", None)] * 4)
        shown += [program.log_text() for program in (front, sandbox)]
        for secret in (ADDRESS_SECRET, ADDRESS_SECRET.replace("/", "%2F").replace(" ", "%20"), "only"):
            self.assertNotIn(secret, "".join(shown))

    def test_ids_of_the_shops_own(self):
        """Real ids are taken as they are, and what an event does not tell is not claimed."""
        self.run_.start_webhook()
        told = self.trigger("stripe", "paid", "cs_test_a1B2", "--product", "10")
        self.assertIsNone(told["product"])
        self.assertIn("--product is not in it", told["notes"][0]["note"])
        told = self.trigger("stripe", "refunded", "pi_3Xy")
        self.assertIsNone(told["product"])
        told = self.trigger("paddle", "paid", "txn_01hv8x", "--product", "pro_9", "--email", "tim@example.test")
        self.assertIn("--email is not in it", told["notes"][0]["note"])
        self.run_.ctl("trigger", "fastspring", "paid")
        self.run_.worker_once()
        orders = self.run_.sql("SELECT CONCAT(s.name, ' ', order_id) FROM shop_order JOIN source s ON s.id = source_id")
        self.assertLess({"stripe cs_test_a1B2", "stripe pi_3Xy", "paddle txn_01hv8x"}, set(orders.splitlines()))
        people = self.run_.ctl("trigger", "lemonsqueezy", "paid").stdout
        self.assertIn("nothing that the worker needs", people)
        self.assertIn("order_created", people)

    def test_refusals(self):
        self.run_.configure({"source woocommerce": {"live": "true"}})
        self.assertIn("live = true", self.run_.ctl("trigger", "woocommerce", "paid", expected=1).stderr)
        self.run_.configure({"source woocommerce": {"live": "false"}})
        self.run_.ctl("trigger", "nowhere", "paid", expected=1)
        self.assertIn("paid, pending", self.run_.ctl("trigger", "woocommerce", "stolen", expected=2).stderr)
        self.assertIn("refunded, disputed, sale, refund, dispute, dispute_won",
                      self.run_.ctl("trigger", "gumroad", "pending", expected=2).stderr)
        for provider, *arguments in (
                ("woocommerce", "disputed"), ("woocommerce", "paid", "--product", "ten"),
                ("woocommerce", "paid", "--order", "A-1"), ("woocommerce", "paid", "--order", ""),
                ("woocommerce", "paid", "--email", "nobody"), ("lemonsqueezy", "cancelled"),
                ("lemonsqueezy", "paid", "--order", "0"), ("stripe", "order.paid"),
                ("stripe", "paid", "--order", "cs_test_"), ("stripe", "paid", "--order", 'x"y'),
                ("paddle", "paid", "--order", "TXN"), ("paddle", "paid", "--product", "a b"),
                ("gumroad", "sale", "--order", "../x"), ("fastspring", "paid", "--order", "<order>"),
                ("fastspring", "paid", "--product", "")):
            with self.subTest(provider=provider, arguments=arguments):
                self.run_.ctl("trigger", provider, *arguments, expected=2)
        for provider in SAMPLES:
            done = self.run_.ctl("trigger", provider, "paid", "--order", "7", expected=1)
            self.assertIn("purchase-webhook running", done.stderr)
            self.assertNotIn("only", done.stdout + done.stderr)
        self.run_.apply_catalogue({"entitlements": {"icons-pro": {}}, "products": [
            {"source": "woocommerce", "product": "10", "grants": ["icons-pro"]}]})
        self.assertIn("--product", self.run_.ctl("trigger", "standard", "paid", expected=1).stderr)

    def test_live_is_the_default(self):
        self.run_.configure({"source standard": {"live": None}})
        self.assertIn("live = true", self.run_.ctl("trigger", "standard", "paid", expected=1).stderr)

    def test_hostile_ids_stay_values(self):
        """An id that a shop of free ids could give is a value in the body, whatever stands in it."""
        self.run_.start_webhook()
        for provider in ("standard", "fastspring", "gumroad"):
            hostile = '1","status":"x<order>&sale_id=2'
            told = self.run_.ctl_json("trigger", provider, "paid", "--order", "7", "--product", hostile)
            self.assertEqual((told["status"], told["product"]), (200, hostile))
        self.run_.worker_once()
        self.assertEqual(self.outcomes(), [("standard", None), ("fastspring", None), ("gumroad", "fetch_failed")])
        self.assertEqual(self.run_.sql("SELECT DISTINCT order_id FROM shop_order"), "7\n")


if __name__ == "__main__":
    unittest.main()
