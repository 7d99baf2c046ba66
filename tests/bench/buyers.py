"""Who is measured: a shop's buyers, their orders delivered and drained the usual way, their addresses linked."""

import json

from loads import Loads
from programs import SOURCE

FIRST_USER = 3458764514838398337
TEAM = "3458764514838398336"
ORDER_BYTES = 2400
ORDER_NUMBERS_FROM = 1000000000
CATALOGUE = {"entitlements": {"icons-pro": {"name": "Icon pack Pro"}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]}]}


def order(number, **changes):
    """A WooCommerce order of the usual size; `number` is its id, or the marks where the load puts one."""
    line = {"id": 1, "name": "Icon pack Pro", "product_id": 10, "variation_id": 0, "quantity": 1,
            "tax_class": "", "subtotal": "49.00", "subtotal_tax": "0.00", "total": "49.00",
            "total_tax": "0.00", "taxes": [], "meta_data": [], "sku": "LIC-PRO", "price": 49}
    value = {
        "id": number, "parent_id": 0, "status": "completed", "currency": "USD",
        "total": "49.00", "customer_id": 0, "order_key": f"wc_order_{number}",
        "billing": {"first_name": "A", "last_name": "Buyer", "email": f"b{number}x@example.test"},
        "line_items": [line], "refunds": [], "number": str(number), "meta_data": [],
        "date_created_gmt": "2026-01-05T10:00:00", "date_modified_gmt": "2026-01-05T10:00:05",
        "date_paid_gmt": "2026-01-05T10:00:05", "date_completed_gmt": "2026-01-05T10:00:05",
    }
    value.update(changes)
    value["padding"] = "x" * (ORDER_BYTES - len(json.dumps(value)) - len(', "padding": ""'))
    return value


def order_template():
    """The same as text, with ten marks wherever its number goes."""
    mark = "@" * 10
    return json.dumps(order(mark)).replace(f'"id": "{mark}"', f'"id": {mark}', 1)


def user(number):
    return str(FIRST_USER + number)


class Buyers:
    """Users of one deployment, an order each. Needs a front that runs, at `run.port`."""

    def __init__(self, run, users):
        self.run = run
        self.users = users
        self.loads = Loads(run, run.write("order.json", order_template()), run.path("tokens"))

    def write_tokens(self):
        self.run.write("tokens", "".join(f"{self.run.token(user(i), TEAM)}\n" for i in range(self.users)))

    def deliver(self, count, port=None):
        return self.loads.deliver(port or self.run.port, 64, requests=count)

    def settle(self):
        """One order a user: delivered, drained, linked."""
        self.write_tokens()
        self.deliver(self.users)
        self.run.worker_once()
        self.link()

    def link(self):
        """The first address is the first user's, and so on, by the order of the blind index."""
        users = ",".join(f"('{user(i)}', {i})" for i in range(self.users))
        self.run.sql(f"""CREATE TEMPORARY TABLE seed (user_id VARBINARY(32), n INT);
            INSERT INTO seed VALUES {users};
            INSERT INTO link (address_index, user_id, origin, linked_at)
            SELECT a.address_index, s.user_id, 'import', 0 FROM seed s JOIN
            (SELECT address_index, ROW_NUMBER() OVER (ORDER BY address_index) - 1 AS n
             FROM address) a ON a.n = s.n""")
        linked = int(self.run.sql("SELECT COUNT(*) FROM link"))
        assert linked == self.users, (linked, self.users)

    def empty_inbox(self):
        """So that each measurement of deliveries begins with the same table."""
        empty_inbox(self.run)


def empty_inbox(run):
    """Ours, in however many tables it lies, and the peer's."""
    tables = run.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
                     " AND table_name RLIKE '^(peer_)?delivery'").split()
    run.sql("".join(f"TRUNCATE TABLE {table};" for table in tables))


def prepared(run):
    """A deployment with its schema, catalogue and front."""
    run.migrate()
    run.apply_catalogue(CATALOGUE)
    return run.start_webhook()
