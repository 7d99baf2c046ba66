"""A deployment under load whose programs are killed at random moments.

    with MariaDB() as server:
        siege = Siege(server, seed=7, orders=2000)
        siege.besiege(kills=100)    # clients post all the while, until as many kills have been survived
        siege.recover()
        siege.verdict()             # what was lost, doubled or answered wrongly: sentences
        siege.report()

Clients live through the histories of the property tests: each posts the webhooks of one shop after the other, again and
again until they are acknowledged, and installs the app for a buyer. Beside them a shop of the sandbox sells by the
thousand and loses a third of its webhooks, which one resync after the other has to find.
"""

import random
import statistics
import subprocess
import threading
import time

from lives import WAVES, Life, draw
from many_orders import CATALOGUE, ManyOrders
from mariadb import USER
from model import catalogue
from processes import Program
from programs import SOURCE, program_path
from record import Record, holdings, replay
from shops import SHOPS
from subscriptions import RULES, Stripe
from town import Town, user_of
from waiting import wait_for
from wire import Wire

KINDS = SHOPS + (Stripe, Stripe)
PROGRAMS = ("front", "worker", "resync", "database")
WEIGHTS = (3, 3, 2, 2)
CUTS = 0.4              # of the kills come after all connections to the database were cut
BOTH = 0.15             # of the kills strike a second program while the first is away
CLIENTS = 4
QUIET = (0.05, 1.2)     # seconds between a recovery and the next kill
PATIENCE = 0.02         # before a client tries again
NEVER = 180             # seconds after which a program or a delivery counts as lost for good


class Clients:
    """Threads that live through one history after the other, and write down what was acknowledged."""

    def __init__(self, town, record, first_seed):
        self.town = town
        self.record = record
        self.acknowledged = 0
        self.retried = 0
        self.unanswered = 0
        self.refused = {}
        self.faults = []
        self.lives = 0
        self._seed = first_seed
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self._latest = 0.0  # when the youngest request that was acknowledged began
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CLIENTS)]

    def start(self):
        for thread in self._threads:
            thread.start()

    def finish(self):
        """Begun lives are lived to their end."""
        self._enough.set()
        for thread in self._threads:
            thread.join(NEVER)
            assert not thread.is_alive(), "a client is still not answered"

    def acknowledged_since(self, moment):
        """Whether a request that began after the moment was acknowledged."""
        return self._latest > moment

    def _work(self):
        line = Line(self.town.run.port)
        try:
            while not self._enough.is_set():
                self._live(self._next(), line)
        except Exception as error:  # noqa: BLE001 (told by the main thread)
            self.faults.append(f"a client gave up: {error!r}")
        finally:
            line.close()

    def _next(self):
        with self.town.lock:
            self.town.runs += 1
            self._seed += 1
            life = Life(self.town.runs, self._seed, draw(self._seed, KINDS), KINDS)
            self.town.lives[life.run] = life
            self.lives += 1
            return life

    def _live(self, life, line):
        plan = life.plan()
        first = life.shop.buyers()[0][1].replace("+", "%2B")
        self._until_acknowledged(life, line, 302, lambda: (
            "GET", f"/oauth/callback?code={user_of(life, 0)}%20{first}", {}, b""))
        for wave in range(WAVES):
            with self.town.lock:
                life.advance()
            for _, number in plan[wave]:
                self._post(life, line, life.shop.sent[number])

    def _post(self, life, line, webhook):
        source = life.shop.source
        secret = self.town.run.secret(source)
        tries = self._until_acknowledged(life, line, 200, lambda: (
            "POST", f"/webhooks/{source}",
            {"Content-Type": "application/json", **life.shop.headers(webhook, secret)}, webhook.body))
        self.record.note(life, webhook, source, tries)
        with self._lock:
            self.acknowledged += 1

    def _until_acknowledged(self, life, line, wanted, request):
        """Returns after how many tries. What has no answer may or may not be in, so it is sent again."""
        end = time.monotonic() + NEVER
        tries = 0
        while True:
            tries += 1
            began = time.monotonic()
            status = line.ask(*request())
            if status == wanted:
                with self._lock:
                    self._latest = max(self._latest, began)
                    self.retried += tries > 1
                return tries
            with self._lock:
                self.unanswered += status is None
                if status is not None:
                    self.refused[status] = self.refused.get(status, 0) + 1
            if status not in (None, 502, 503):
                raise AssertionError(f"seed {life.seed}: answered {status}")
            if time.monotonic() > end:
                raise AssertionError(f"seed {life.seed}: not acknowledged in {NEVER} s")
            self._enough.wait(PATIENCE) if not self._enough.is_set() else time.sleep(PATIENCE)


class Line:
    """One client's connection, opened again when it was cut."""

    def __init__(self, port):
        self._port = port
        self._wire = None

    def ask(self, *request):
        """The status, or None if there was no answer."""
        try:
            if self._wire is None:
                self._wire = Wire(self._port)
            return self._wire.request(*request)[0]
        except (OSError, ValueError):
            self.close()
            return None

    def close(self):
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class Siege(Town):
    SOURCES = {**Town.SOURCES, "stripe": {"provider": "stripe"}}

    def __init__(self, server, seed, orders):
        self.seed = seed
        self.orders = orders
        self.chance = random.Random(seed)
        self.kills = dict.fromkeys(PROGRAMS, 0)
        self.recoveries = {name: [] for name in ("front", "worker", "database")}
        self.cuts = 0       # of all connections to the database, as an operator or a proxy cuts them
        self.ended = []     # programs that ended by themselves
        self.figures = {}
        super().__init__(server)
        self.front = self.run.programs[-1]
        self.many = ManyOrders(self.run)
        sold = self.catalogue()
        sold["entitlements"].update(CATALOGUE["entitlements"])
        self.run.apply_catalogue({**sold, "products": sold["products"] + CATALOGUE["products"]})
        self.run.kill_program(self.front)
        self.front = self.run.start_webhook()  # with the shop that was added
        self.run.start_sandbox()
        self.worker = self.run.start_worker()
        self.resync = None
        self.record = Record(self.run.path("record"))
        self.clients = Clients(self, self.record, seed * 1000)

    def catalogue(self):
        ours = catalogue([name for name in self.SOURCES if name != "stripe"])
        return {**ours, "products": ours["products"] + RULES}

    def close(self):
        if self.resync:
            self.resync.kill()
        self.record.close()
        super().close()

    # The siege

    def besiege(self, kills):
        self.many.sell(self.orders, self.seed, lose_percent=30, duplicate_percent=10, reorder=1000)
        began = time.monotonic()
        self.clients.start()
        wait_for(lambda: self.clients.acknowledged >= CLIENTS, NEVER, "the first acknowledgements")
        first = self.chance.sample(PROGRAMS, len(PROGRAMS))  # each at least once
        while sum(self.kills.values()) < kills and not self.clients.faults:
            self.pause()
            if self.chance.random() < CUTS:
                self.cuts += 1
                self.run.server.sql(f"KILL USER {USER}")
                self.pause()
            victims = [first.pop() if first else self.chance.choices(PROGRAMS, WEIGHTS)[0]]
            if self.chance.random() < BOTH:
                victims.append(self.chance.choice([name for name in PROGRAMS if name not in victims]))
            self.strike(victims)
        self.clients.finish()
        took = time.monotonic() - began
        self.figures.update(seconds=round(took, 1), acknowledged=self.clients.acknowledged,
                            acknowledged_per_second=round(self.clients.acknowledged / took, 1))

    def pause(self):
        """Up to the next random moment; what ended by itself is noticed, and a resync is always under way."""
        end = time.monotonic() + self.chance.uniform(*QUIET)
        while time.monotonic() < end:
            self.tend()
            time.sleep(0.01)

    def tend(self):
        for name in ("front", "worker"):
            program = getattr(self, name)
            if not program.alive():
                self.ended.append(f"{program.name} ended with {program.process.returncode}")
                self.run.programs.remove(program)
                self.begin(name)
        if self.resync is None or not self.resync.alive():
            self.begin("resync")

    def begin(self, name):
        if name == "front":
            self.front = self.run.start_webhook(ready=False)
        elif name == "worker":
            self.worker = self.run.start_worker()
        elif name == "database":
            self.run.server.start()
        else:
            self.resync = Program("resync", [
                program_path("purchase-worker"), "--config", self.run.config, "resync", "--source", SOURCE,
                "--full", "--max-revoke", "100"], self.run.folder, self.run.environment())

    def strike(self, victims):
        """Kills all of them, starts them again in the same order, and waits for each to do its work."""
        for name in victims:
            self.kills[name] += 1
            if name == "database":
                self.run.server.kill()
            elif name == "resync":
                self.resync.kill()
            else:
                self.run.kill_program(getattr(self, name))
        began = {}
        for name in victims:
            began[name] = time.monotonic()
            self.begin(name)
        for name in victims:  # one may need the other
            if name in self.recoveries:
                self.await_work(name, began[name])
                self.recoveries[name].append(time.monotonic() - began[name])

    def await_work(self, name, began):
        if name == "worker":
            wait_for(lambda: "inbox done" in self.worker.log_text() or self.clients.faults or not self.worker.alive(),
                     NEVER, "a worker's first delivery", every=0.01)
        else:
            wait_for(lambda: self.clients.acknowledged_since(began) or self.clients.faults, NEVER,
                     f"an acknowledgement after the {name} came back", every=0.01)

    # What comes after it

    def spooled(self):
        """Deliveries that wait in the front's spool; none if there is no such thing."""
        return self.run.metric("purchase_spool_pending") or 0

    def pending(self):
        return int(self.run.sql("SELECT COUNT(*) FROM delivery WHERE state IN ('pending','leased')"))

    def recover(self, patient):
        """
        All programs are up, and work off what waits. A patient one waits until the leases of the dead have run out and
        every body that came again has had its turn; else that time is over at once.
        """
        began = time.monotonic()
        self.tend()
        wait_for(lambda: self.run.internal("/readyz")[0] == 200, NEVER, "/readyz")
        wait_for(lambda: self.many.left() == 0, NEVER, "the sandbox's trade")
        wait_for(lambda: self.spooled() == 0, NEVER, "the spool")
        if patient:
            wait_for(lambda: self.pending() == 0, 4 * NEVER, "the inbox", every=0.2)
            self.figures["inbox_empty_after_s"] = round(time.monotonic() - began, 1)
        self.run.stop_program(self.worker)
        self.resync.kill()
        self.settle()
        self.run.run("purchase-worker", "resync", "--source", SOURCE, "--full", "--max-revoke", "100")
        for life in list(self.lives.values()):
            self.install(life, "two")
        self.settle()

    def install(self, life, which):
        if life.seed % 100 == 0:  # there purchasectl linked; here all went through OAuth
            number = [name for name, _ in life.shop.buyers()].index(which)
            address = life.shop.buyers()[number][1].replace("+", "%2B")
            status, _ = self.wire().request("GET", f"/oauth/callback?code={user_of(life, number)}%20{address}", {})
            assert status == 302, status
        else:
            super().install(life, which)

    def missing(self, lines):
        """Acknowledged deliveries that the inbox lacks. How often it counts one is no promise: what comes again while the
        database is away is in the spool already."""
        kept = {tuple(row) for row in self.run.server.rows(
            "SELECT s.name, LOWER(HEX(d.delivery_key)) FROM delivery d JOIN source s ON s.id = d.source_id",
            self.run.database)}
        return [f"lost: {source} {key} was acknowledged {times} times"
                for (source, key), times in holdings(lines).items() if (source, key) not in kept]

    def doubled(self):
        """Changes of access that do not follow from what was before: an effect that came twice, or from nowhere."""
        rows = self.run.server.rows(
            "SELECT source_id, HEX(order_id), HEX(line_id), entitlement_key, before_value, after_value FROM audit"
            " WHERE order_id IS NOT NULL ORDER BY id", self.run.database)
        stands, found = {}, []
        for source, order, line, key, before, after in rows:
            place = (source, order, line, key)
            if stands.get(place, "NULL") != before:
                found.append(f"doubled: {place} was {stands.get(place)} and is changed from {before} to {after}")
            stands[place] = after
        self.figures["effects"] = len(rows)
        return found

    def wrong(self, lines):
        """Buyers who are told other than the record says."""
        found = []
        for life, shop in replay(lines, KINDS):
            life.shop = shop
            found += self.compare(life)
            self.figures["answers"] = self.figures.get("answers", 0) + len(shop.buyers())
        return found

    def verdict(self):
        if self.clients.faults:
            return self.clients.faults
        lines = self.record.lines()
        assert len(lines) == self.clients.acknowledged
        lost, doubled, wrong = self.missing(lines), self.doubled(), self.wrong(lines)
        self.figures.update(lost=len(lost), doubled=len(doubled), answered_wrongly=len(wrong))
        ours, truth = self.many.ours(), self.many.truth()
        self.figures["found_by_resync"] = len(truth)
        stray = [f"resync: {line} is {'given, and not bought' if line in ours else 'bought, and not given'}"
                 for line in sorted(ours ^ truth)]
        self.run.ctl("rebuild", "--check")
        return self.ended + lost + doubled + wrong + stray

    def report(self):
        def of(times):
            return {"p50": round(statistics.median(times), 2), "max": round(max(times), 2)} if times else None
        return {"seed": self.seed, "kills": self.kills, "killed_in_all": sum(self.kills.values()),
                "connections_cut": self.cuts, "histories": self.clients.lives, "retried": self.clients.retried,
                "unanswered": self.clients.unanswered, "refused": self.clients.refused,
                "seconds_to_recover": {name: of(times) for name, times in self.recoveries.items()}, **self.figures}
