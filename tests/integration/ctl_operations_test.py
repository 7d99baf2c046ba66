"""migrate, doctor, rebuild and trigger: an installation from its first minute, and its checks."""

import base64
import json
import secrets
import subprocess
import unittest

from fake_shop import Answer, FakeServer, FakeShop
from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path

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

    def test_all_is_well(self):
        self.healthy()
        self.site.deliver_woocommerce({"id": 1, "status": "completed", "total": "1.00",
                                      "billing": {"email": "zoe@example.test"}, "refunds": [],
                                      "line_items": [{"id": 1, "product_id": 10, "quantity": 1}],
                                      "date_modified_gmt": "2026-11-20T10:00:00"})
        self.site.worker_once()
        findings = self.findings()
        self.assertEqual([row["what"] for row in findings if row["finding"] != "ok"],
                         ["no resync ever succeeded: orders whose webhooks were lost are not known"])
        self.site.sql("UPDATE resync_source SET last_success_at = UNIX_TIMESTAMP() * 1000000")
        self.site.sql("INSERT IGNORE INTO resync_source (source_id, last_success_at)"
                      " SELECT id, UNIX_TIMESTAMP() * 1000000 FROM source")
        findings = self.findings()
        self.assertEqual([row for row in findings if row["finding"] != "ok"], [])
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


class Trigger(unittest.TestCase):
    """A signed sample walks the whole way; never into a live shop."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def deployment(self, provider="woocommerce", **more):
        overrides = {f"source {SOURCE}": {"provider": provider, "live": "false", **more}}
        files = {f"{SOURCE}.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"}
        run = self.enterContext(Deployment(self.server, overrides, files))
        run.migrate()
        run.apply_catalogue(CATALOGUE)
        return run

    def test_every_provider_and_event(self):
        for provider, events in (("woocommerce", "pending paid cancelled refunded"),
                                 ("shopify", "pending paid cancelled refunded"),
                                 ("standard", "pending paid cancelled refunded disputed")):
            run = self.deployment(provider)
            run.start_webhook()
            for number, event in enumerate(events.split(), 100):
                told = run.ctl_json("trigger", SOURCE, event, "--order", str(number))
                self.assertEqual((told["status"], told["product"]), (200, "10"))
            run.worker_once()
            self.assertEqual(run.ctl_json("deliveries", "list", "--state", "set_aside"), [])
            states = dict(run.server.rows("SELECT order_id, state FROM contribution", run.database))
            wanted = dict(zip(("100", "101", "102", "103", "104"), events.split()))
            self.assertEqual(states, {order: "active" if state == "paid" else state
                                      for order, state in wanted.items()})
            run.ctl("rebuild", "--check")

    def test_a_purchase_and_its_refund(self):
        run = self.deployment()
        run.start_webhook()
        run.ctl("link", "42", "tim@example.test", "--why", "test")
        run.ctl("trigger", SOURCE, "order.paid", "--order", "7", "--email", "-", stdin="Tim@Example.test\n")
        run.worker_once()
        self.assertEqual(run.keys("42"), ["icons-pro"])

    def test_refusals(self):
        run = self.deployment(live="true")
        done = run.ctl("trigger", SOURCE, "paid", expected=1)
        self.assertIn("live = true", done.stderr)
        run.configure({f"source {SOURCE}": {"live": "false"}})
        run.ctl("trigger", "nowhere", "paid", expected=1)
        self.assertIn("pending, paid", run.ctl("trigger", SOURCE, "stolen", expected=2).stderr)
        run.ctl("trigger", SOURCE, "disputed", expected=2)
        run.ctl("trigger", SOURCE, "paid", "--product", "ten", expected=2)
        run.ctl("trigger", SOURCE, "paid", "--order", "A-1", expected=2)
        run.ctl("trigger", SOURCE, "paid", "--email", "nobody", expected=2)
        self.assertIn("purchase-webhook running", run.ctl("trigger", SOURCE, "paid", expected=1).stderr)

    def test_live_is_the_default(self):
        run = self.enterContext(Deployment(self.server))
        run.migrate()
        self.assertIn("live = true", run.ctl("trigger", SOURCE, "paid", expected=1).stderr)


if __name__ == "__main__":
    unittest.main()
