"""Stories of sales at a stand-in shop: told step by step, and again in every order in which their webhooks may come.

The sandbox lives a story by its knobs, and signs what the shop would send. Step by step the deliveries go to the front
as they happen; for the permutations they are held, and posted from here: the k-th of every permutation in round k,
each permutation an order of its own, and the workers' turn between the rounds.
"""

import base64
import itertools
import json
import re
import socket
import time
import unittest

from life import permutations
from mariadb import MariaDB
from payloads import stamp
from programs import Deployment
from waiting import wait_for

MINUTE, HOUR = 60, 3600

ICONS = {"product": "10", "sku": "ICONS-PRO", "quantity": 1, "price": "49.00"}
BOARDS = {"product": "11", "sku": "ADD-1", "quantity": 3, "price": "10.00"}
PRO = {"product": "20", "sku": "PRO", "quantity": 2, "price": "10.00"}
MAX = {"product": "21", "sku": "MAX", "quantity": 1, "price": "30.00"}


def catalogue(sources):
    products = []
    for source in sources:
        for product, key in (("10", "icons"), ("11", "boards")):
            products.append({"source": source, "product": product, "grants": [key]})
        for product, key in (("20", "pro"), ("21", "max")):
            products.append({"source": source, "product": product, "grants": [key],
                             "grace_days": 7})
    return {"entitlements": {key: {} for key in ("icons", "boards", "pro", "max")},
            "products": products}


class Kept:
    """Requests over one connection, with as little between as Python allows."""

    def __init__(self, port):
        self._port = port
        self._socket = None

    def _ask(self, request):
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
        while len(body) < length:
            body += self._more()
        if re.search(rb"(?i)\r\nconnection: *close", head):
            self.close()
        return int(head[9:12]), body

    def _more(self):
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def request(self, method, path, body=b"", headers=None):
        """(status, bytes); once more if the server had closed the connection meanwhile."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        kept = self._socket is not None
        try:
            return self._ask(request)
        except ConnectionError:
            self.close()
            if not kept:
                raise
            return self._ask(request)

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Stories(unittest.TestCase):
    """
    A subclass sets PROVIDER, KEY (the API key; None: the provider has no API), MANNERS (of the
    stand), SETTINGS (of the source) and `order_id(sale)`, the id under which we know a sale.
    """

    PROVIDER = None
    KEY = "key-of-the-shop"
    SECRET = "the secret of {}"
    MANNERS = {}
    SETTINGS = {}
    SOURCES = ("keyed", "plain")
    READ_BY_SECONDS = False  # nothing but the second of the shop's answer says which is the later

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB(options=["--innodb-buffer-pool-size=128M"])
        cls.addClassCleanup(cls.server.close)
        cls.run_ = Deployment(cls.server, {"source main-store": None})
        cls.addClassCleanup(cls.run_.close)
        cls.sources = [name for name in cls.SOURCES if cls.KEY or name != "keyed"]
        sections = {"server": {"answer_cache": "false"}}  # each answer is read from the database
        for name in cls.sources:
            cls.run_.write(f"{name}.secret", cls.SECRET.format(name) + "\n")
            sections[f"source {name}"] = dict(cls.SETTINGS, provider=cls.PROVIDER,
                                              webhook_secret_file=f"{name}.secret")
        if cls.KEY:
            cls.run_.write("keyed.key", cls.KEY + "\n")
            sections["source keyed"].update(
                api_key_file="keyed.key",
                api_url=f"http://127.0.0.1:{cls.run_.sandbox_port}/shops/keyed")
        cls.run_.configure(sections)
        cls.run_.migrate()
        cls.run_.apply_catalogue(catalogue(cls.sources))
        cls.run_.start_webhook()
        cls.run_.start_sandbox()
        cls.front = Kept(cls.run_.port)
        cls.sandbox = Kept(cls.run_.sandbox_port)
        cls.addClassCleanup(cls.front.close)
        cls.addClassCleanup(cls.sandbox.close)
        for name in cls.sources:
            cls.knob("stand", {"source": name, "bucket": 10**9, **cls.MANNERS})
        cls._users = itertools.count(3458764514838390001)
        cls.began = int(time.time()) - 6 * HOUR

    # The sandbox

    @classmethod
    def knob(cls, path, body=None):
        """What a knob answers: a POST with a body, else a GET."""
        head = {"Content-Type": "application/json"}
        data = b"" if body is None else json.dumps(body).encode()
        status, answer = cls.sandbox.request("GET" if body is None else "POST",
                                             f"/sandbox/api/{path}", data, head)
        assert status == 200, (path, body, status, answer)
        return json.loads(answer)

    def turn(self, source, sale, minute, do, body=None):
        """One step of a sale's life; the first, "buy", makes it. Returns what it is then."""
        at = stamp(self.began + minute * MINUTE, "Z")
        path = "sales" if do == "buy" else f"sales/{sale['id']}/{do}"
        return self.knob(path, {"source": source, "at": at, **(body or {})})

    def buyer(self):
        """A Miro user who is linked to an address of his own."""
        user = str(next(self._users))
        email = f"buyer.{user}@example.test"
        self.run_.ctl("link", user, "-", "--why", "the test's buyer", stdin=f"{email}\n")
        return user, email

    # The programs

    def arrive(self):
        """All that the sandbox sent was answered, and stored."""
        wait_for(lambda: self.knob("deliveries")["open"] == 0, 30, "the deliveries' answers")

    def next_second(self):
        """What is read from now on is later than all that was read."""
        last = int(time.time())
        wait_for(lambda: int(time.time()) > last, 5, "the next second")

    def settle(self):
        """The workers' turn, until nothing waits for its time any more."""
        for _ in range(8):
            self.run_.worker_once()
            due = self.run_.sql(
                "SELECT (SELECT COUNT(*) FROM delivery WHERE state IN ('pending','leased'))"
                " + (SELECT COUNT(*) FROM shop_order WHERE reread_due_at IS NOT NULL);"
                " UPDATE delivery SET due_at = 0 WHERE state = 'pending';"
                " UPDATE shop_order SET reread_due_at = 0 WHERE reread_due_at IS NOT NULL")
            if int(due.split()[0]) == 0:
                return
        raise AssertionError("something is still due: " + self.run_.sql(
            "SELECT state, reason, detail FROM delivery WHERE state = 'pending' LIMIT 3"))

    def live(self, user):
        return {item["key"]: item["quantity"]
                for item in self.run_.entitlements(user)["entitlements"]}

    # Step by step

    def walk(self, source, steps):
        """
        steps: (minute, what happens, its input, what is live then, {key: reason}). Several of one
        minute may follow each other; `None` for what is live asserts nothing.
        """
        user, email = self.buyer()
        sale = None
        for minute, do, body, live, reasons in steps:
            body = dict(body or {}, email=email) if do == "buy" else body
            sale = self.turn(source, sale, minute, do, body)
            if live is None:
                continue
            if self.READ_BY_SECONDS:
                self.next_second()
            self.arrive()
            self.settle()
            self.assertEqual(self.live(user), live, (source, do, minute))
            for key, reason in (reasons or {}).items():
                told = self.run_.entitlement(key, user)
                self.assertEqual(told["reason"], reason, (source, do, minute, key))
                self.assertEqual(told["entitled"], key in live, (source, do, minute, key))
        self.run_.ctl("rebuild", "--check")
        return user, sale

    # Every permutation

    def live_through(self, source, story, count, email):
        """Lives a story so many times; returns [(sale, [delivery])] with the deliveries held."""
        self.knob("faults", {"hold": True})
        lives, held = [], {}
        for number in range(1, count + 1):
            sale = None
            for minute, do, body in story:
                body = dict(body or {}, email=email) if do == "buy" else body
                sale = self.turn(source, sale, minute, do, body)
            lives.append(sale)
            if number % 40 == 0 or number == count:  # the sandbox tells a few hundred at once
                self.collect(source, held)
        self.knob("faults", {"hold": False})
        return [(sale, list(held[sale["id"]].values())) for sale in lives]

    def collect(self, source, held):
        """Takes what the sandbox holds: {order: {body: delivery}}."""
        for delivery in self.knob(f"deliveries?source={source}&held=1")["deliveries"]:
            body = base64.b64decode(delivery["body"])
            bodies = held.setdefault(delivery["order"], {})
            bodies.setdefault(body, (delivery["path"], delivery["headers"], body))
        self.knob("deliveries/release", {"source": source, "discard": True})

    def post(self, delivery):
        path, headers, body = delivery
        status, answer = self.front.request("POST", path, body, headers)
        self.assertEqual(status, 200, answer)

    def play(self, source, story, email, twice):
        """Posts every permutation of the story's different deliveries; returns the sales."""
        first = self.live_through(source, story, 1, email)[0]
        self.assertLessEqual(len(first[1]), 6, [headers for _, headers, _ in first[1]])
        orders = permutations(len(first[1]))
        lives = [first] + self.live_through(source, story, len(orders) - 1, email)
        self.assertEqual({len(life[1]) for life in lives}, {len(first[1])})
        for place in range(len(first[1])):
            for order, (_, deliveries) in zip(orders, lives):
                for _ in range(2 if twice else 1):
                    self.post(deliveries[order[place]])
            self.run_.worker_once()
        return [life[0] for life in lives], orders

    def contributions(self, source):
        """{order id: {key: (state, quantity)}}"""
        rows = self.server.rows(
            "SELECT c.order_id, c.entitlement_key, c.state, c.quantity FROM contribution c"
            f" JOIN source s ON s.id = c.source_id WHERE s.name = '{source}'", self.run_.database)
        found = {}
        for order_id, key, state, quantity in rows:
            found.setdefault(order_id, {})[key] = (state, int(quantity))
        return found

    def permute(self, source, story, expected, deliveries, doubled=True, over=False):
        """
        The end of every permutation of a story, plain and with each delivery sent twice:
        `expected` is {key: (state, quantity)} of one order, which gives nothing any more if it is
        `over`; `deliveries` how many different ones there are.
        """
        user, email = self.buyer()
        begun = time.monotonic()
        before = set(self.contributions(source))
        sales, orders = [], []
        for twice in (False, True) if doubled else (False,):
            more, places = self.play(source, story, email, twice)
            sales += more
            orders += [(place, twice) for place in places]
        self.assertEqual(len(orders[0][0]), deliveries)
        self.settle()
        found = self.contributions(source)
        wanted = {str(self.order_id(sale)): place for sale, place in zip(sales, orders)}
        strays = (set(found) - before) ^ (set(wanted) if expected else set())
        wrong = {order: found.get(name) for name, order in wanted.items()
                 if found.get(name, {}) != expected}
        if wrong or strays:
            self.fail(f"{source}: {len(wrong)} of {len(wanted)} permutations: "
                      f"{dict(list(wrong.items())[:6])}, strays {list(strays)[:6]}")
        self.assertEqual(self.live(user), {} if over else {
            key: quantity * len(sales) for key, (_, quantity) in expected.items() if quantity})
        self.run_.ctl("rebuild", "--check")
        print(f"{self.id()} {source}: {len(sales)} orders in "
              f"{time.monotonic() - begun:.1f} s", flush=True)
