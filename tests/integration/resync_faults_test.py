"""`purchase-worker resync` where the shop, its clock, its lists or another process are at fault."""

import base64
import copy
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

from between import Between
from fake_shop import Answer
from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path, wait_for

WOO_KEY = "ck_1:cs_1"
ORDERS = "/wp-json/wc/v3/orders"
HOOKS = "/wp-json/wc/v3/webhooks"
GUMROAD = "gumroad"
SALES = "/shops/gumroad/v2/sales"
CATALOGUE = {"entitlements": {"icons-pro": {}},
             "products": [{"source": source, "product": product, "grants": ["icons-pro"]}
                          for source in (SOURCE, GUMROAD) for product in ("10", "11", "12")]}
HALF_HOUR = 1800
BROKEN = Answer(b"<h1>There has been a critical error</h1>", 500, {"Content-Type": "text/html"})
CLOSED = Answer({"code": "woocommerce_rest_cannot_view", "message": "no"}, 401)
STRANGER = "0102030405060708"  # a run of somebody's who is gone
MEMORY_KIB = 200 * 1024  # a sanitizer's own needs included
CALLS_MOST = 450


class FaultsTest(unittest.TestCase):
    """One shop and what stands between: `self.source` with its part of the configuration."""

    source = SOURCE

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.run_ = Deployment(self.server, {f"source {SOURCE}": None})
        self.addCleanup(self.run_.close)
        self.between = Between(self.run_.sandbox_port)
        self.addCleanup(self.between.close)
        self.run_.configure({f"source {self.source}": self.shop()})
        self.run_.migrate()
        self.run_.apply_catalogue({**CATALOGUE, "products": [
            one for one in CATALOGUE["products"] if one["source"] == self.source]})
        self.run_.start_sandbox()
        self.knob("faults", drop=1_000_000)

    def shop(self):
        self.run_.write("shop.key", WOO_KEY + "\n")
        return {"provider": "woocommerce", "webhook_secret_file": f"{SOURCE}.secret",
                "api_key_file": "shop.key", "api_url": self.between.url}

    # The shop

    def knob(self, path, **body):
        status, _, value = self.run_.request_json(
            "POST", f"/sandbox/api/{path}", json.dumps(body), {"Content-Type": "application/json"},
            self.run_.sandbox_port)
        self.assertIn(status, (200, 201), value)
        return value

    def buy(self, buyer, quantity=1):
        return self.knob("orders", email=f"buyer{buyer}@example.test", pay=True,
                         items=[{"product": 10, "quantity": quantity}])["id"]

    def bought(self):
        """A new order, as the shop itself tells it."""
        return self.run_.request_json(
            "GET", f"{ORDERS}/{self.buy(0)}", port=self.run_.sandbox_port,
            headers={"Authorization": "Basic " + base64.b64encode(WOO_KEY.encode()).decode()})[2]

    def asked(self, path):
        return len(self.between.asked(path))

    # The resync

    def resync(self, *options, expected=0):
        return self.run_.run("purchase-worker", "resync", "--source", self.source, *options,
                             expected=expected)

    def changes(self, done):
        return sorted(line for line in done.stdout.splitlines() if " -> " in line)

    def sql(self, text):
        return self.run_.sql(text).strip()

    def live(self):
        """The orders that give somebody something, by number."""
        rows = self.sql("SELECT DISTINCT order_id FROM contribution WHERE state = 'active'")
        return sorted(int(row) for row in rows.split())

    def buyers(self):
        return int(self.sql("SELECT COUNT(DISTINCT subject) FROM contribution"
                            " WHERE state = 'active'"))

    def stands(self):
        """(watermark, last_success_at) in seconds; None for what is not known."""
        row = self.sql("SELECT watermark, last_success_at FROM resync_source").split()
        return tuple(None if word == "NULL" else int(word) / 1e6 for word in row)

    def set_back(self, seconds):
        """As if the last success had been so long ago."""
        self.run_.sql(f"UPDATE resync_source SET watermark = watermark - {seconds} * 1000000,"
                      f" last_success_at = last_success_at - {seconds} * 1000000")
        return self.stands()

    def staged(self):
        return self.sql("SELECT (SELECT COUNT(*) FROM resync_staged) +"
                        " (SELECT COUNT(*) FROM resync_judged)")

    def interrupt(self, *options):
        """A run that reads the orders, and is cut off before it has seen the trash."""
        self.between.hook = lambda asked: CLOSED if "status=trash" in asked.query else None
        self.assertIn("goes on from here", self.resync(*options, expected=1).stderr)
        self.between.hook = None

    def assert_first_goes_on(self, expected=True):
        done = self.resync()
        self.assertEqual("goes on with a resync that did not end" in done.stdout, expected,
                         done.stdout)
        return done

    def assert_is_well_again(self, buyers):
        """A run may find that it cannot go on from where it was left; one that ends well has read all."""
        if self.resync(expected=None).returncode != 0:
            self.resync()
        self.assertEqual(self.buyers(), buyers)


class ShopList:
    """A WooCommerce list of orders of our own making, dated by the shop's clock."""

    def __init__(self, template, clock):
        self._template = template
        self._clock = clock
        self.orders = []

    def add(self, age):
        """One more paid order, changed `age` seconds ago."""
        order = copy.deepcopy(self._template)
        order["id"] = 5000 + len(self.orders)
        order["number"], order["order_key"] = str(order["id"]), f"wc_order_{order['id']}"
        order["billing"]["email"] = f"listed{order['id']}@example.test"
        changed = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self._clock() - age))
        for name in ("date_modified", "date_created", "date_paid"):
            order[name] = order[f"{name}_gmt"] = changed
        self.orders.append(order)

    def __call__(self, asked):
        if asked.path != ORDERS:
            return [] if asked.path == HOOKS else Answer({"code": "rest_no_route"}, 404)
        query = dict(urllib.parse.parse_qsl(asked.query))
        if query["status"] == "trash":
            return []
        after, first = query.get("modified_after", ""), int(query.get("offset", 0))
        found = sorted((one for one in self.orders if one["date_modified_gmt"] > after),
                       key=lambda one: (one["date_modified_gmt"], one["id"]))
        return found[first:first + int(query["per_page"])]


class ClockTest(FaultsTest):
    """Shops whose clock is not ours."""

    def read_all(self, ahead):
        self.between.ahead = ahead
        listed = self.between.hook = ShopList(self.bought(), self.between.clock)
        for part in ("first run", "later run"):
            for number in range(400):
                listed.add(HALF_HOUR - 4.4 * number)
            self.resync("--max-revoke", "100")
            self.assertEqual(len(self.live()), len(listed.orders), part)
            self.set_back(2 * HALF_HOUR)
        for _ in range(2):  # from where a run that read nothing older left the watermark
            self.resync()
            listed.add(2)
            self.resync()
            self.assertEqual(len(self.live()), len(listed.orders))

    def test_a_clock_that_is_behind_loses_no_change(self):
        self.read_all(-HALF_HOUR)

    def test_a_clock_that_is_ahead_loses_no_change(self):
        self.read_all(HALF_HOUR)


class SilenceTest(FaultsTest):
    """What a shop does not say, and what is not to be asked of it."""

    def test_a_long_sentence_of_trouble_ends_the_run(self):
        self.run_.configure({"server": {
            "public_url": f"https://{'a-long-name.' * 14}example.com"}})
        self.buy(1)
        self.between.hook = lambda asked: [] if asked.path == HOOKS else None
        self.assertIn("no webhook of the shop points here", self.resync().stdout)
        before = self.set_back(HALF_HOUR)
        self.assertGreater(int(self.sql("SELECT LENGTH(trouble) FROM resync_source")), 200)
        self.buy(2)
        self.assert_first_goes_on(False)
        self.assertGreater(self.stands()[0], before[0])
        self.assertEqual(self.buyers(), 2)
        self.assertEqual(self.sql("SELECT COUNT(*) FROM resync_source WHERE lease_owner IS NULL"
                                  " AND run_id IS NULL"), "1")
        self.assertEqual(self.sql("SELECT state FROM resync_run").split(), ["done", "done"])

    def test_a_shop_that_cannot_tell_its_webhooks_is_read(self):
        self.buy(1)
        self.between.hook = lambda asked: BROKEN if asked.path == HOOKS else None
        self.resync()
        self.assertEqual(self.buyers(), 1)
        self.assertGreater(self.asked(HOOKS), 1)  # it was asked again, and then left alone
        self.assertEqual(self.sql("SELECT trouble FROM resync_source"), "NULL")

    def test_an_order_that_the_shop_chokes_on_stops_nobody_elses(self):
        self.resync()
        sick = self.buy(1, quantity=2)
        self.knob(f"orders/{sick}/refund", amount="5.00")
        path, others = f"{ORDERS}/{sick}/refunds", 1
        for answer in (BROKEN, Answer({"code": "woocommerce_rest_cannot_view"}, 403)):
            with self.subTest(status=answer.status):
                before = self.set_back(HALF_HOUR)
                others += 1
                other = self.buy(others)
                self.between.hook = lambda asked, said=answer: said if asked.path == path else None
                told = self.resync(expected=1)
                self.assertRegex(told.stderr, ": 1 question.* the rest counts")
                self.assertIn(other, self.live())
                self.assertEqual(self.stands(), before)
                self.assertEqual(self.staged(), "0")
        self.between.hook = None
        self.between.forget()
        self.assert_first_goes_on(False)
        self.assertEqual(self.asked(path), 1)
        self.assertEqual(len(self.live()), 3)
        for now, then in zip(self.stands(), before):
            self.assertGreater(now, then)

    def test_a_page_that_is_a_bomb_is_refused(self):
        self.buy(1)
        self.resync()
        bomb = Answer(b"[" + b"{}," * 599_999 + b"{}]")
        self.between.hook = lambda asked: bomb if asked.path == ORDERS else None
        with open(self.run_.path("bomb.stderr"), "w+", encoding="utf-8") as log:
            worker = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", program_path("purchase-worker"), "--config",
                 self.run_.config, "resync", "--source", self.source], cwd=self.run_.folder,
                stderr=log, stdout=subprocess.DEVNULL, env=self.run_.environment())
            deadline = threading.Timer(60, worker.kill)
            deadline.start()
            _, status, used = os.wait4(worker.pid, 0)
            deadline.cancel()
            worker.returncode = os.waitstatus_to_exitcode(status)
            log.seek(0)
            self.assertIn("it holds too many values", log.read())
        self.assertEqual(worker.returncode, 1)
        self.assertLess(used.ru_maxrss, MEMORY_KIB)
        self.between.hook = None
        self.assert_first_goes_on()

    def test_a_list_of_entries_that_are_none_ends(self):
        self.buy(1)
        self.resync()
        self.buy(2)
        self.between.forget()
        self.between.hook = lambda asked: [{}] * 100 if asked.path == ORDERS else None
        self.assertIn("list has no end", self.resync(expected=1).stderr)
        self.assertLess(self.asked(ORDERS), CALLS_MOST)
        self.assertEqual(self.buyers(), 1)
        self.between.hook = None
        self.assert_is_well_again(2)


class RunTest(FaultsTest):
    """Runs beside and after others."""

    def test_buyers_whose_old_order_went_and_whose_new_one_came_lose_nothing(self):
        old = [self.buy(number) for number in range(3)]
        self.resync()
        for number, order in enumerate(old):
            self.knob(f"orders/{order}/refund", all=True)
            self.buy(number)
        told = self.resync("--dry-run")
        self.assertEqual(self.live(), old)
        done = self.resync()
        self.assertEqual(len(self.changes(done)), 6, done.stdout)
        self.assertEqual(self.changes(done), self.changes(told))
        self.assertEqual(self.buyers(), 3)
        self.assertFalse(set(old) & set(self.live()))

    def test_a_run_that_is_told_to_stop_asks_for_no_further_page(self):
        """The page in flight is given up or read; either way it must not send for the next."""
        shop = ShopList(self.bought(), time.time)
        for age in range(1000, 700, -1):
            shop.add(age)
        run = subprocess.Popen([program_path("purchase-worker"), "--config", self.run_.config, "resync", "--source",
                                self.source], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=self.run_.environment(), text=True)

        def stop(asked):
            if asked.path == ORDERS:
                run.terminate()
                wait_for(lambda: "ShdPnd:\t0000000000000000" in Path(f"/proc/{run.pid}/status").read_text("ascii"), 10,
                         "the signal's arrival")
            return shop(asked)

        self.between.hook = stop
        self.assertIn("told to stop", run.communicate(timeout=60)[0])
        self.assertEqual(self.asked(ORDERS), 1)

    def test_what_a_run_that_was_cut_off_left_on_the_stage_is_cleared(self):
        self.buy(1)
        self.resync()
        ended = self.sql("SELECT HEX(run_id) FROM resync_run")
        self.run_.sql("INSERT INTO resync_run (run_id, source_id, state, whole, dry,"
                      f" moves_watermark, began_at) VALUES (X'{STRANGER}', 4000, 'reading', 1, 0,"
                      " 1, (UNIX_TIMESTAMP() - 40 * 86400) * 1000000)")
        self.run_.sql(f"INSERT INTO resync_source (source_id, run_id) VALUES (4000, X'{STRANGER}')")
        for run in (ended, STRANGER):
            self.run_.sql("INSERT INTO resync_staged (run_id, order_id, seq, sealed)"
                          f" SELECT X'{run}', CONCAT('A', seq), seq, 'x' FROM seq_1_to_6000")
            self.run_.sql("INSERT INTO resync_judged SELECT"
                          f" X'{run}', UNHEX(SHA2(seq, 256)), 'icons-pro', 'A', '1', -1"
                          " FROM seq_1_to_6000")
        self.resync()
        self.assertEqual(self.staged(), "0")
        self.assertEqual(self.sql(f"SELECT state FROM resync_run WHERE run_id = X'{STRANGER}'"),
                         "abandoned")
        self.assertEqual(self.sql(f"SELECT state FROM resync_run WHERE run_id = X'{ended}'"),
                         "done")

    def test_the_sweep_spares_a_run_that_will_be_gone_on_with(self):
        self.buy(1)
        self.interrupt()
        left = self.staged()
        self.assertNotEqual(left, "0")
        self.run_.write("another.secret", "webhook-secret-of-another\n")
        self.run_.configure({"source another": {
            "provider": "woocommerce", "webhook_secret_file": "another.secret",
            "api_key_file": "shop.key", "api_url": self.between.url}})
        self.run_.run("purchase-worker", "resync", "--source", "another", "--dry-run")
        self.assertEqual(self.staged(), left)
        self.assert_first_goes_on()
        self.assertEqual(self.buyers(), 1)

    def test_a_dry_run_beside_an_interrupted_run_leaves_it_to_be_gone_on_with(self):
        self.buy(1)
        self.interrupt()
        told = self.resync("--dry-run")
        self.assertEqual(len(self.changes(told)), 1)
        self.assertEqual(self.buyers(), 0)
        self.interrupt("--dry-run")  # a guest that is cut off itself takes nothing along
        self.between.forget()
        done = self.assert_first_goes_on()
        self.assertEqual(len(self.changes(done)), 1)
        self.assertEqual([one.query for one in self.between.asked(ORDERS)
                          if "status=any" in one.query], [])  # those it had read
        self.assertEqual(self.staged(), "0")

    def start_on(self, host, processes):
        """A resync on a host of that name, which has so many numbers of processes behind it."""
        script = f"hostname {host}; for i in $(seq {processes}); do /bin/true; done; " \
                 f"'{program_path('purchase-worker')}' --config '{self.run_.config}' resync " \
                 f"--source {self.source}; exit $?"
        started = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--uts", "--pid", "--fork",
             "--kill-child", "--mount-proc", "sh", "-c", script], cwd=self.run_.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.run_.environment())
        self.addCleanup(started.communicate)
        self.addCleanup(started.kill)
        return started

    def test_hosts_whose_names_begin_alike_are_two(self):
        if os.geteuid() != 0 or not shutil.which("hostname") or subprocess.run(
                ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "true"],
                stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("only root can give a process a host name of its own")
        self.buy(1)
        go_on = threading.Event()
        self.addCleanup(go_on.set)

        def wait(asked):
            if asked.path == ORDERS:
                go_on.wait(30)
        self.between.hook = wait
        first = self.start_on("purchase-sync-resync-28391820-node-a", 5)
        wait_for(lambda: self.asked(ORDERS) > 0, 20, "the first host's run")
        owner = self.sql("SELECT lease_owner FROM resync_source")
        second = self.start_on("purchase-sync-resync-28391820-node-b", 40)
        wait_for(lambda: second.poll() is not None or self.asked(ORDERS) > 1, 20,
                 "the second host's word")
        self.assertEqual(self.sql("SELECT lease_owner FROM resync_source"), owner)
        self.assertIn(f"another resync is at it ({owner})", second.communicate()[0])
        go_on.set()
        self.assertIn("1 change", first.communicate()[0])
        self.assertEqual((first.returncode, second.returncode), (0, 0))
        self.assertEqual(self.buyers(), 1)


class CursorTest(FaultsTest):
    """A shop that tells by a key where its list goes on."""

    source = GUMROAD

    def shop(self):
        self.run_.write("shop.secret", "webhook-secret-of-gumroad\n")
        self.run_.write("shop.key", "access-token-of-the-account\n")
        return {"provider": GUMROAD, "live": "true", "webhook_secret_file": "shop.secret",
                "api_key_file": "shop.key", "api_url": f"{self.between.url}/shops/{GUMROAD}"}

    def sell(self, count):
        for number in range(count):
            self.knob("sales", source=GUMROAD, email=f"buyer{number}@example.test", silent=True,
                      items=[{"product": "10", "quantity": 1, "price": "5.00"}])

    def sales(self):
        """The first page, as the shop itself tells it."""
        return self.run_.request_json(
            "GET", SALES, headers={"Authorization": "Bearer access-token-of-the-account"},
            port=self.run_.sandbox_port)[2]

    def test_a_place_that_is_none_any_more_is_given_up(self):
        self.sell(12)
        self.between.hook = lambda asked: \
            CLOSED if asked.path == SALES and "page_key" in asked.query else None
        self.resync(expected=1)
        dead = self.sql("SELECT cursor_text FROM resync_run WHERE state = 'reading'")
        self.assertNotEqual(dead, "")
        walked = []

        def forgotten(asked):
            """A key counts in the walk that it was given to."""
            if asked.path != SALES:
                return None
            if "page_key" not in asked.query:
                walked.append(asked)
            return None if walked else Answer(
                {"success": False, "error": "Invalid page_key."}, 400)
        self.between.hook = forgotten
        told = self.resync(expected=1)
        self.assertIn("the next resync begins anew", told.stderr)
        self.assert_first_goes_on(False)
        self.assertEqual(self.buyers(), 12)
        self.assertEqual(sorted(self.sql("SELECT state FROM resync_run").split()),
                         ["abandoned", "done"])

    def test_a_list_that_goes_in_a_circle_ends(self):
        self.sell(1)
        page = self.sales()
        for length in (2, 7):
            with self.subTest(length=length):
                self.between.forget()
                keys = itertools.cycle(f"20261101000000-{number}" for number in range(length))
                self.between.hook = lambda asked: \
                    {**page, "next_page_key": next(keys)} if asked.path == SALES else None
                self.assertIn("list has no end", self.resync(expected=1).stderr)
                self.assertLess(self.asked(SALES), CALLS_MOST)
                self.assertEqual(self.buyers(), 0)
                if length == 2:  # the next circle is a first run's, too
                    self.run_.sql("DELETE FROM resync_source")
        self.between.hook = None
        self.assert_is_well_again(1)


if __name__ == "__main__":
    unittest.main()
