"""No statement walks a table: the programs do all that they can beside six thousand orders, and the server says by
which plan it did each thing, and how many rows it looked at. What the programs never asked is named too, so that no
statement escapes.
"""

import json
import os
import time
import unittest
import urllib.parse
from datetime import datetime, timezone

import subscription_life_test as subscription
from ctl_import_test import HEADER, row
from fake_miro import error
from fake_shop import FakeServer
from mail_server import MailServer, can_run, code_of
from mariadb import MariaDB
from miro_tokens_test import RotatingMiro
from population import TEAM, Population
from programs import SOURCE, Deployment
from signing import MIRO_CLIENT_ID, sign_standard
from statements import LOGGED, read_log, was_asked, written_statements

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
USERS, ORDERS = 2000, 6000
ROWS = 6000                 # of every other table that can grow
FEED_ROWS = 25000           # where a step takes thousands, a walk would be right for less
MOST = 2000                 # rows that one statement may look at: a batch, and what hangs on it
OUTLET, BILLING, CARDS = "outlet", "billing", "cards"
DAY = 86400 * 1000000
ZOE, ADA, TIM = (Population.user(USERS + i) for i in range(3))
BUYER = "zoe@example.test"
CATALOGUE = {"entitlements": {"icons-pro": {"name": "Icon pack Pro"}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "product": "11", "grants": ["extra-boards"]},
                          {"source": OUTLET, "product": "10", "grants": ["icons-pro"]},
                          {"source": BILLING, "product": "10", "grants": ["icons-pro"]},
                          {"source": subscription.SHOP, "product": "pri_1", "grants": ["icons-pro"], "grace_days": 7}]}

# Small by nature: a row for a shop, a program, a key of the keyring, a line of a catalogue.
SMALL = {"source", "sealed_key", "catalogue_version", "catalogue_entitlement", "catalogue_rule", "catalogue_rule_grant",
         "resync_source", "worker_counter", "schema_migration", "schema_lease", "tables", "SESSION_STATUS",
         "sealing_key", "key_holder"}
# A scratch table of one import: as large as the file, and the file is what is counted.
SCRATCH = {"import_order", "import_unmapped", "import_link", "import_grant"}

# What walks on purpose: (a part of its shape, why that is right).
WALKS = (
    ("SELECT COUNT(DISTINCT subject) FROM contribution WHERE state = ? AND quantity > ? AND subject_kind",
     "catalog apply: how many buyers there are, of whom so many per cent may lose a key"),
    ("SET STATEMENT max_statement_time", "figures of /metrics: given up after 5 s, and a hundredth of the time"),
    ("SELECT received_at FROM delivery WHERE source_id = ?", "doctor: back to the source's last delivery"),
    ("SELECT source_id, product, variant, sku, COUNT(DISTINCT order_id) AS orders",
     "doctor and import: every line that no rule knows, counted"),
    ("SELECT COUNT(IF(state = ?, ?, ?)), COUNT(IF(state", "doctor: every token, counted"),
    ("DELETE FROM claim WHERE asked_at", "a claim is kept for a day: where most are aged their key is not worth its while"),
    ("SELECT source_id, COUNT(DISTINCT subject), COUNT(DISTINCT order_id) FROM (", "import: every payer, counted"),
    ("SELECT source_id, COUNT(*) FROM (SELECT source_id, order_id FROM shop_order", "import: every payer, counted"),
)

# What takes more in one step than others: (a part of its shape, how many rows).
STEPS = (("DELETE FROM change_feed", 10000),)

# What this scenario cannot make the programs ask: (a part of its shape, or of the name of its file, why).
UNASKED = (
    ("lib/spool/", "SQLite's, of a file on the front's own disk"),
    ("lib/store/reseal.c", "opens every sealed row, and the population's copies do not open under their own names; by"
                           " primary key, 32 at a time: keys_test, drills_test"),
    ("lib/store/keys.c", "asked by `keys` alone, of a row for each key: keys_test, drills_test"),
    ("lib/store/key_holders.c", "asked by `keys` alone, of a row for each program: keys_test"),
    ("lib/store/order_bind.c", "asked once, of a database whose keyring is lost: drills_test"),
    ("INSERT INTO schema_migration", "asked once, of an empty database"),
    ("INSERT INTO sealed_key", "asked once, of an empty database"),
    ("UPDATE schema_lease SET held_until = GREATEST(", "asked by a migration that takes longer than its lease"),
)


class Scenario:
    """Everything that the programs do, once, beside a population that has nothing to do with it."""

    def __init__(self, server):
        self.server = server
        self.cleanups = []
        self.miro = RotatingMiro()
        self.paddle = subscription.SubscriptionLife()
        self.paddle.api = FakeServer()
        self.paddle.api.answers["/customers/ctm_1"] = {"data": {"id": "ctm_1", "email": BUYER,
                                                                "updated_at": "2026-01-01T00:00:00Z"}}
        self.run = self.paddle.run_ = Deployment(server, {
            f"source {SOURCE}": {"live": "false"},
            f"source {OUTLET}": {"provider": "woocommerce", "webhook_secret_file": "outlet.secret",
                                 "api_key_file": "outlet.key"},
            f"source {BILLING}": {"provider": "standard", "webhook_secret_file": "billing.secret", "live": "false"},
            f"source {subscription.SHOP}": {"provider": "paddle", "webhook_secret_file": "paddle.secret",
                                            "api_url": self.paddle.api.url, "api_key_file": "paddle.key"}},
            {"outlet.secret": "of the outlet\n", "outlet.key": "ck_1:cs_1\n",
             "billing.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
             "cards.secret": "of the cards\n", "cards.key": "sk_test_1\n",
             "paddle.secret": subscription.SECRET + "\n", "paddle.key": "pdl_live_apikey_1\n"})
        self.paddle.api.answers["/v1/checkout/sessions/cs_test_7/line_items"] = {
            "object": "list", "has_more": False, "data": [
                {"id": "li_1", "object": "item", "quantity": 1, "price": {"id": "price_1", "product": "10"}}]}
        self.paddle.now, self.paddle.number = datetime.now(timezone.utc), 0
        self.population = Population(self.run, USERS, ORDERS)

    def close(self):
        self.run.migrated = False  # rows of no order fill the other tables
        self.run.close()
        for cleanup in self.cleanups:
            cleanup()
        self.miro.close()
        self.paddle.api.close()

    # The rows that are there

    def grow(self):
        self.population.grow()
        self.run.configure({"miro": self.miro.settings(), f"source {OUTLET}": {
            "api_url": f"http://127.0.0.1:{self.run.sandbox_port}/shops/{OUTLET}"}})
        tables = [row[0] for row in self.server.rows("SELECT table_name FROM information_schema.tables WHERE"
                                                     f" table_schema = '{self.run.database}'")]
        for table in tables:
            if table not in SMALL and int(self.run.sql(f"SELECT COUNT(*) FROM {table}")) < ROWS / 4:
                self.fill(table)

    def fill(self, table):
        """Rows of a shop that is gone, of nobody who matters, long ago."""
        columns, picks = [], []
        for name, kind, key, extra in self.server.rows(
                "SELECT column_name, column_type, column_key, extra FROM information_schema.columns WHERE"
                f" table_schema = '{self.run.database}' AND table_name = '{table}' ORDER BY ordinal_position"):
            if "auto_increment" in extra:
                continue
            columns.append(name)
            width = int(kind[kind.index("(") + 1:-1].split(",")[0]) if "char" in kind or kind.startswith(
                ("binary", "varbinary")) else 0
            if name == "source_id":
                picks.append("65535")
            elif name == "run_id" and table != "resync_run":
                picks.append("LEFT(UNHEX(SHA2(seq % 8, 256)), 8)")  # of a few runs that stage much
            elif kind.startswith("binary"):
                picks.append(f"LEFT(UNHEX(SHA2(CONCAT('{table}.{name}', seq), 256)), {width})")
            elif width:
                picks.append(f"LEFT(CONCAT('{name}', seq), {width})" if width > 6 else "'x'")
            elif kind.startswith(("enum", "tinyint", "int")):
                picks.append("1")
            elif kind.startswith("bigint"):
                picks.append(f"{int(time.time()) * 1000000 - 400 * DAY} + seq")
            else:
                picks.append("'x'")
        self.run.sql(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(picks)} FROM"
                     f" seq_1_to_{FEED_ROWS if table == 'change_feed' else ROWS}; ANALYZE TABLE {table};")

    # Means

    def sandbox(self, path, **body):
        status, _, value = self.run.request_json("POST", f"/sandbox/api/{path}", json.dumps(body),
                                                 {"Content-Type": "application/json"}, self.run.sandbox_port)
        assert status in (200, 201, 202), (path, status, value)
        return value

    def trigger(self, source, event, order, email=BUYER, *more):
        self.run.ctl("trigger", source, event, "--order", order, "--email", "-", *more, stdin=email)

    def install(self, user, team=TEAM, headers=None, state=None):
        query = {"code": f"{user}/{team}", "client_id": MIRO_CLIENT_ID, **({"state": state} if state else {})}
        status, _, body = self.run.request("GET", "/oauth/callback?" + urllib.parse.urlencode(query), headers=headers)
        assert status == 302, (status, body)

    def resync(self, *options, expected=0):
        return self.run.run("purchase-worker", "resync", *options, expected=expected)

    # The deeds

    def all_of_it(self):
        self.run.configure({f"source {CARDS}": {"provider": "stripe", "webhook_secret_file": "cards.secret",
                                                "api_url": self.paddle.api.url, "api_key_file": "cards.key",
                                                "live": "false"}})
        self.run.migrate()
        self.run.apply_catalogue(CATALOGUE)
        self.run.start_sandbox()
        self.run.start_webhook()
        for deed in (self.people, self.deliveries, self.catalogues, self.support, self.imports, self.claims, self.resyncs,
                     self.rebuilds):
            deed()

    def people(self):
        run, miro = self.run, self.miro
        miro.addresses = {ZOE: BUYER, ADA: BUYER, TIM: None}
        status, headers, _ = run.request("GET", "/oauth/start")
        assert status == 302
        state = urllib.parse.parse_qs(urllib.parse.urlsplit(headers["Location"]).query)["state"][0]
        self.install(ZOE, state=state, headers={"Cookie": headers["Set-Cookie"].split(";")[0]})
        self.install(ADA)  # whose address is taken
        self.install(TIM)
        own = f"user_id IN ('{ZOE}', '{ADA}')"
        run.sql(f"UPDATE miro_token SET refresh_due_at = 1 WHERE {own}; UPDATE miro_user SET profile_due_at = 1 WHERE {own}")
        run.worker_once()
        other = f"user_id = '{TIM}'"
        miro.after_refresh = lambda form: run.sql(f"UPDATE miro_token SET state = 'refused' WHERE {other}") or None
        run.sql(f"UPDATE miro_token SET refresh_due_at = 1 WHERE {other}; UPDATE miro_user SET profile_due_at = NULL"
                f" WHERE {other}")
        run.worker_once()
        miro.after_refresh = None
        for answer in (error(500, "internalError", "later"), error(429, "tooManyRequests", "slowly")):
            miro.before_refresh = lambda form, answer=answer: answer
            run.sql(f"UPDATE miro_token SET refresh_due_at = 1 WHERE {own}")
            run.worker_once()
        miro.before_refresh = None
        miro.pairs.clear()  # every refresh is refused from now on
        run.sql(f"UPDATE miro_token SET refresh_due_at = 1, expires_at = 2 WHERE {own};"
                f"UPDATE miro_user SET profile_due_at = 1 WHERE {own}")
        run.worker_once()
        for user in (ZOE, ADA, TIM, self.population.user(7)):
            run.entitlements(user)
        run.entitlement("icons-pro", ZOE)
        run.request("GET", "/metrics", port=run.internal_port)

    def deliveries(self):
        run, paddle = self.run, self.paddle
        for event in ("paid", "paid", "cancelled", "refunded", "pending"):
            self.trigger(SOURCE, event, "12")
        self.trigger(SOURCE, "paid", "13", BUYER, "--product", "99")
        self.trigger(BILLING, "disputed", "B-1")
        for _ in range(2):
            self.trigger(CARDS, "paid", "7")
        back = paddle.refund(1, "txn_1", paddle.at(-1))
        paddle.send(back)
        paddle.send(back.replace(b'"refund"', b'"chargeback"').replace(b"evt_0", b"evt_9").replace(b"adj_1", b"adj_2"))
        run.worker_once()
        run.ctl("order", "show", SOURCE, "13")
        self.trigger(SOURCE, "paid", "13")
        paddle.send(paddle.state("active", paddle.at(-5), paddle.at(25), "created"))
        paddle.send(paddle.payment(1, paddle.at(-5)))
        run.worker_once()
        order = self.buy("walter@example.test")
        run.worker_once()
        self.sandbox(f"orders/{order}/refund", source=OUTLET, all=True)
        run.worker_once()
        self.sandbox(f"orders/{order}/anonymise", source=OUTLET)
        self.sandbox(f"orders/{self.buy('ida@example.test')}/trash", source=OUTLET)
        run.deliver(BILLING, b"{}", sign_standard(b"{}", run.secret(BILLING)))
        run.worker_once()

    def buy(self, email):
        return self.sandbox("orders", source=OUTLET, email=email, items=[{"product": 10, "quantity": 1}], pay=True)["id"]

    def catalogues(self):
        run = self.run
        run.apply_catalogue(dict(CATALOGUE, products=CATALOGUE["products"][1:]), "--dry-run", "--max-revoke", "100")
        run.apply_catalogue(dict(CATALOGUE, products=CATALOGUE["products"] + [
            {"source": SOURCE, "product": "99", "grants": ["extra-boards"]}]))
        run.ctl("catalog", "show")
        run.ctl("catalog", "rollback", "--max-revoke", "100")
        run.worker_once()

    def support(self):
        run = self.run
        run.ctl("user", "show", "-", stdin=BUYER)
        for user in (ZOE, ADA, self.population.user(7)):
            run.ctl("user", "show", user)
            run.ctl("explain", user, "icons-pro")
        run.ctl("order", "show", SOURCE, "12")
        run.ctl("order", "show", SOURCE, self.population.order(77))
        run.ctl("deliveries", "list")
        shown = run.ctl_json("deliveries", "list", "--state", "done", "--limit", "100")
        run.ctl("deliveries", "show", str(shown[0]["id"]))
        run.ctl("deliveries", "replay", str(shown[0]["id"]))
        run.ctl("grant", ZOE, "extra-boards", "--why", "a gift")
        grant = run.sql(f"SELECT LOWER(HEX(grant_id)) FROM manual_grant WHERE user_id = '{ZOE}'").strip()
        run.ctl("revoke", grant, "--why", "taken back")
        run.ctl("link", ADA, "-", "--take", "--why", "a ticket", stdin=BUYER)
        run.ctl("unlink", "-", "--why", "a ticket", stdin=BUYER)
        order = str(self.buy("otto@example.test"))
        run.worker_once()
        run.ctl("order", "refresh", OUTLET, order, "--wait", "0")
        run.worker_once()
        for order in ("12", self.population.order(78)):
            run.ctl("order", "assign", SOURCE, order, ADA, "--why", "a ticket")
            run.worker_once()
            run.ctl("order", "refresh", SOURCE, order, expected=None)
        run.ctl("transfer", ADA, TIM, "--why", "a ticket", "--dry-run")
        run.ctl("transfer", ADA, TIM, "--why", "a ticket")
        run.ctl("transfer", self.population.user(9), ZOE, "--why", "a ticket")
        run.ctl("order", "unassign", SOURCE, "12", "--why", "a ticket")
        run.ctl("doctor", expected=None)

    def imports(self):
        run = self.run
        orders = HEADER + row(order="70", email="ivo@example.test") + row(order="71", product="99") + \
            row(order="72", email="") + row(order=self.population.order(5), updated="2026-02-01")
        for kind, text in (("orders", orders),
                           ("orders", HEADER + row(order="71", updated="2020-06-01")),
                           ("orders", HEADER + row(order="70") + row(order="72") + row(order="70", quantity="2")),
                           ("links", f"user,email,why\n{TIM},ivo@example.test,moved\n{ADA},ivo@example.test,moved\n"),
                           ("grants", f"user,key,until,why\n{TIM},icons-pro,,conference\n")):
            path = run.write(f"{kind}.csv", text)
            for options in (["--dry-run"], [], []):
                run.ctl("import", kind, path, *options, expected=None)

    def ask(self, user, path, **body):
        status, _, answer = self.run.request_json("POST", f"/v1/{path}", json.dumps(body), self.run.bearer(user, TEAM))
        assert status in (200, 202, 422), (path, status, answer)
        return answer

    def claims(self):
        """An order by ZOE's reference with an address that ADA holds; a code decides it, and a mail is late."""
        run, mail = self.run, MailServer()
        self.cleanups.append(mail.close)
        run.configure({"mail": {"smtp_url": f"smtp://127.0.0.1:{mail.port}", "from": "licences@example.com"}})
        run.ctl("link", ADA, "-", "--take", "--why", "a ticket", stdin=BUYER)
        reference = self.ask(ZOE, "checkout", source=BILLING, product="10")["reference"]
        run.deliver_standard({"type": "order.updated", "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                              "data": {"id": "B-2", "status": "paid", "email": BUYER, "metadata": {
                                  "miro_reference": reference}, "lines": [{"id": "1", "product": "10", "quantity": 1}]}},
                             BILLING)
        run.worker_once()
        self.ask(ADA, "claims", email=BUYER)
        run.worker_once()
        code = code_of(mail.mails()[0])
        self.ask(ADA, "claims/confirm", email=BUYER, code=f"{(int(code) + 1) % 10**8:08}")
        for _ in range(2):
            self.ask(ADA, "claims/confirm", email=BUYER, code=code)
        mail.stop()
        self.ask(ZOE, "claims", email=BUYER)
        run.worker_once()

    def resyncs(self):
        self.sandbox("faults", drop=1000000)
        orders = [self.buy(f"new{number}@example.test") for number in range(3)]
        self.resync("--source", OUTLET, "--dry-run")
        self.resync("--source", OUTLET)
        for order in orders:
            self.sandbox(f"orders/{order}/refund", source=OUTLET, all=True)
        self.resync("--source", OUTLET, expected=1)
        self.resync("--source", OUTLET, "--max-revoke", "100")
        self.sandbox(f"orders/{orders[0]}/delete", source=OUTLET)
        self.resync("--source", OUTLET, "--full", "--max-revoke", "100")
        self.resync(expected=None)

    def rebuilds(self):
        self.run.ctl("rebuild", "--check", expected=None)
        self.run.ctl("rebuild")


@unittest.skipUnless(can_run(), "needs Node and the packages of tests/peers")
class Explain(unittest.TestCase):
    """The scenario is played once; then its log is judged."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB(options=LOGGED + ["--innodb-buffer-pool-size=256M", "--slow-query-log=0"])
        cls.addClassCleanup(cls.server.close)
        scenario = Scenario(cls.server)
        cls.addClassCleanup(scenario.close)
        scenario.grow()
        cls.server.sql("SET GLOBAL slow_query_log = 1")
        scenario.all_of_it()
        cls.shapes = read_log(cls.server)

    def test_nothing_walks(self):
        walkers = []
        for shape, seen in self.shapes.items():
            if any(part in shape for part, _ in WALKS):
                continue
            most = next((rows for part, rows in STEPS if part in shape), MOST)
            faults = [str(step) for (table, kind, _), step in seen.steps.items()
                      if kind in ("ALL", "index") and table not in SMALL | SCRATCH and not table.startswith("<")
                      and (kind == "ALL" or "Using where" in step.extra or step.read > most)]
            if seen.examined > most:
                faults.append(f"looks at {seen.examined} rows")
            if faults:
                walkers.append(f"{shape}\n    {'; '.join(faults)}")
        self.assertEqual(walkers, [], "\n" + "\n".join(walkers))

    def test_nothing_escapes(self):
        unasked = sorted(text for text in {f"{file}: {' ... '.join(pieces)}" for file, pieces in
                                           written_statements(ROOT) if not was_asked(pieces, self.shapes)}
                         if not any(part in text for part, _ in UNASKED))
        self.assertEqual(unasked, [], "\n" + "\n".join(unasked))


if __name__ == "__main__":
    unittest.main()
