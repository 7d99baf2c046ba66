"""Users and orders by the million, as the product itself would have left them.

    with MariaDB(options=ROOMY) as server, Deployment(server) as run:
        population = Population(run, users=1000000, orders=3000000)
        population.grow()                   # migrates, sells a few orders, clones their rows
        population.user(7), population.order(7)

A few orders go the usual way first: delivered, drained, linked, installed. What they leave in every table is then
cloned by the server itself, with other ids, digests and indexes, so that a column that is new has what the product
writes in it, and a table that is new is missed loudly. Order n belongs to user n % users: a user's orders lie far
apart, as years put them. Envelopes are clones too, and are opened by none but the verbs that show an address, a body or
a token. Feed rows are not cloned: they live for minutes.
"""

import json
from concurrent.futures import ThreadPoolExecutor

from fake_miro import FakeMiro
from programs import SOURCE

CATALOGUE = {"entitlements": {"icons-pro": {"name": "Icon pack Pro"}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "product": "11", "grants": ["extra-boards"]}]}
FIRST_USER = 3458764514838398337
FIRST_ORDER = 1000000000      # of one length, so that the order of the numbers is that of the bytes
FIRST_DELIVERY = 1000000
BODY_BYTES = 2400
OLD_BODY = 400                # of it in a clone: nobody reads old bodies, and 12 GB of them take longer than all the rest
TEAM = "3458764514838398336"
TEMPLATES = (("completed", (10,)), ("completed", (10, 11)), ("completed", (10,)), ("refunded", (11,)))
CLONES_AT_ONCE = 2
YEAR = 365 * 86400 * 1000000
FILL = 70  # per cent of a page: what random inserts leave, where sorted ones would pack it
# As many files of log and as much memory as filling in bulk wants; the pool is the measurement's to choose.
FAST = ["--innodb-log-file-size=1G", f"--innodb-fill-factor={FILL}", "--innodb-io-capacity=2000",
        "--innodb-max-dirty-pages-pct=90"]

DIGEST = "UNHEX(SHA2(CONCAT('{}', {}), 256))"
SUBJECT = DIGEST.format("buyer ", "s.seq % {users}")
ORDER = f"CONCAT({FIRST_ORDER} + s.seq)"
DELIVERY = f"{FIRST_DELIVERY} + s.seq"
SNAPSHOT = DIGEST.format("snapshot ", "s.seq")
SHIFT = "t.{0} - {year} + s.seq * ({year} DIV {orders})"
USER = f"CONCAT({FIRST_USER} + s.seq)"
OWN_SUBJECT = DIGEST.format("buyer ", "s.seq")

# What a clone says otherwise than its template; the other columns are the template's.
OF_ORDERS = {
    "delivery": {"id": DELIVERY, "delivery_key": DIGEST.format("delivery ", "s.seq"), "body": f"LEFT(t.body, {OLD_BODY})",
                 **{column: SHIFT for column in ("received_at", "last_received_at", "processed_at", "due_at")}},
    "shop_order": {"order_id": ORDER, "order_key": "IF(t.order_key IS NULL, NULL, " +
                                                   DIGEST.format("key ", "s.seq") + ")"},
    "order_snapshot": {"order_id": ORDER, "digest": SNAPSHOT, "address_index": SUBJECT, "delivery_id": DELIVERY},
    "order_line": {"order_id": ORDER, "digest": SNAPSHOT},
    "contribution": {"order_id": ORDER, "subject": SUBJECT},
    "audit": {"id": None, "order_id": ORDER, "subject": SUBJECT, "at": SHIFT, "cause_id": DELIVERY},
}
OF_USERS = {
    "address": {"address_index": OWN_SUBJECT},
    "link": {"address_index": OWN_SUBJECT, "user_id": USER},
    "miro_user": {"user_id": USER, "profile_due_at": "t.profile_due_at + {year} + s.seq"},
    "miro_token": {"user_id": USER, "refresh_due_at": "t.refresh_due_at + {year} + s.seq",
                   "expires_at": "t.expires_at + {year} + s.seq"},
}
# Where the templates are told by their deliveries, which came in their order.
FIRSTS = {"delivery": "id"}
# Rows that an installation has however large it is, or that do not stay.
NOT_CLONED = {"source", "sealed_key", "catalogue_version", "catalogue_entitlement", "catalogue_rule",
              "catalogue_rule_grant", "schema_migration", "schema_lease", "worker_counter", "change_feed", "oauth_state",
              "sealing_key", "key_holder"}


def woocommerce_order(number, status, products):
    """An order of the usual size."""
    order = {"id": number, "status": status, "currency": "USD", "total": "49.00", "order_key": f"wc_order_{number}",
             "billing": {"first_name": "A", "last_name": "Buyer", "email": f"buyer{number}@example.test"},
             "line_items": [{"id": line, "name": "Icon pack", "product_id": product, "variation_id": 0, "quantity": 1,
                             "sku": f"LIC-{product}", "total": "49.00"} for line, product in enumerate(products, 1)],
             "refunds": [], "meta_data": [], "date_created_gmt": "2026-01-05T10:00:00",
             "date_modified_gmt": "2026-01-05T10:00:05", "date_paid_gmt": "2026-01-05T10:00:05"}
    order["padding"] = "x" * (BODY_BYTES - len(json.dumps(order)) - 15)
    return order


class Population:
    """Of one deployment whose database is empty; tables named in `without` stay so."""

    def __init__(self, run, users, orders, without=()):
        self.run = run
        self.users = users
        self.orders = orders
        self.without = without

    @staticmethod
    def user(number):
        return str(FIRST_USER + number)

    @staticmethod
    def order(number):
        return str(FIRST_ORDER + number)

    def grow(self):
        self.make_templates()
        self.put_aside()
        self.run.server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 0")  # nobody is promised anything meanwhile
        with ThreadPoolExecutor(CLONES_AT_ONCE) as pool:
            for done in [pool.submit(self.clone, table, said, count)
                         for tables, count in ((OF_ORDERS, self.orders), (OF_USERS, self.users))
                         for table, said in tables.items() if table not in self.without]:
                done.result()
        for table in {**OF_ORDERS, **OF_USERS}:
            self.run.sql(f"DROP TABLE template_{table}; ANALYZE TABLE {table};")
        self.run.server.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1")

    def make_templates(self):
        """Orders and one user that go the usual way."""
        run = self.run
        with FakeMiro() as miro:
            run.configure({"miro": miro.settings()})
            run.migrate()
            run.apply_catalogue(CATALOGUE)
            webhook = run.start_webhook()
            miro.token(user=self.user(0), team=TEAM)
            miro.profile(user=self.user(0), email="buyer0@example.test")
            status, _, _ = run.request("GET", f"/oauth/callback?code=c-1&client_id=1&team_id={TEAM}")
            assert status == 302, status
            for number, (status, products) in enumerate(TEMPLATES):
                run.deliver_woocommerce(woocommerce_order(number, status, products))
            run.stop_program(webhook)
            run.worker_once()
        run.ctl("rebuild", "--check")

    def put_aside(self):
        """The templates into tables beside, so that the real ones are empty: those fill in bulk."""
        database = self.run.database
        tables = [row[0] for row in self.run.server.rows(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'")]
        for table in tables:
            if table in NOT_CLONED:
                continue
            if table in OF_ORDERS or table in OF_USERS:
                keep = {"address": "ORDER BY first_seen_at DESC LIMIT 1", "audit": "WHERE order_id IS NOT NULL"}
                self.run.sql(f"CREATE TABLE template_{table} LIKE {table};"
                             f"INSERT INTO template_{table} SELECT * FROM {table} {keep.get(table, '')};"
                             f"TRUNCATE TABLE {table};")
            elif self.run.sql(f"SELECT 1 FROM {table} LIMIT 1"):
                raise AssertionError(f"orders leave rows in {table}, of which the population knows nothing")

    def columns(self, table):
        return [row[0] for row in self.run.server.rows(
            f"SELECT column_name FROM information_schema.columns WHERE table_schema = '{self.run.database}'"
            f" AND table_name = '{table}' AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position")]

    def clone(self, table, said, count):
        columns = [column for column in self.columns(table) if said.get(column, "") is not None]
        picks = [said.get(column, f"t.{column}").format(column, users=self.users, orders=self.orders, year=YEAR)
                 for column in columns]
        which = f"(s.seq + s.seq DIV {self.users}) % {len(TEMPLATES)}"  # one after the other to a user
        match = ""
        if table in FIRSTS:
            match = f"ON t.{FIRSTS[table]} = (SELECT MIN({FIRSTS[table]}) FROM template_{table}) + {which}"
        elif table in OF_ORDERS:
            match = f"ON t.order_id = CONCAT({which})"
        self.run.sql(f"SET unique_checks = 0; SET foreign_key_checks = 0;"
                     f"INSERT INTO {table} ({', '.join(columns)}) SELECT STRAIGHT_JOIN {', '.join(picks)}"
                     f" FROM seq_0_to_{count - 1} s JOIN template_{table} t {match}")
