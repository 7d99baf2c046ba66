"""The deployment that simulated shops and their buyers live with: its programs, the shops' API, a Miro, and the clients
that post what the shops send. Histories live in it side by side.
"""

import calendar
import concurrent.futures
import json
import os
import subprocess
import threading
import time
from dataclasses import replace
from urllib.parse import parse_qs

from lives import WAVES, Life
from model import answer, catalogue
from programs import Deployment, check_ended, program_path
from signing import mint_id_token
from wire import Server, Wire

POSTERS = 4
WORKERS = 2
LINKED_BY_HAND = 100    # of so many seeds, the buyers of one are linked by purchasectl
SETTLING = 12           # times that time passes until nothing is due any more
SHRINK_SECONDS = int(os.environ.get("PURCHASE_SYNC_SHRINK_SECONDS", "60"))
TEAM = "3458764514838398336"
WOO_API = "/wp-json/wc/v3/orders/"


def user_of(life, number):
    return str(4_000_000_000_000_000_000 + life.run * 10 + number)


class Town:
    """The deployment under test, the shops' API and a Miro, shared by all seeds."""

    SOURCES = {"woo": {"provider": "woocommerce"}, "woo-plain": {"provider": "woocommerce"},
               "shopify": {"provider": "shopify", "live": "true"}, "standard": {"provider": "standard"}}

    def __init__(self, server):
        self.lives = {}
        self.runs = 0
        self.reads = 0
        self.lock = threading.Lock()  # a shop answers before a step or after it
        self.api = Server(self.answer_shop)
        self.miro = Server(self.answer_miro)
        overrides = {f"source {name}": {"webhook_secret_file": f"{name}.secret", **keys}
                     for name, keys in self.SOURCES.items()}
        overrides["source woo"].update(api_url=self.api.url, api_key_file="woo.key")
        overrides["source main-store"] = None
        overrides["miro"] = {"authorize_url": f"{self.miro.url}/authorize",
                             "api_url": self.miro.url, "profile_url": f"{self.miro.url}/me",
                             "completed_url": f"{self.miro.url}/done/"}
        secrets = {f"{name}.secret": f"the secret of {name}\n" for name in self.SOURCES}
        secrets["standard.secret"] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"
        secrets["woo.key"] = "ck_1:cs_1\n"
        self.run = Deployment(server, overrides, secrets)
        self.run.migrate()
        self.run.apply_catalogue(self.catalogue())
        self.run.start_webhook()
        self._local = threading.local()

    def catalogue(self):
        return catalogue(self.SOURCES)

    def close(self):
        self.run.close()
        self.api.close()
        self.miro.close()

    # What the town's servers say

    def answer_shop(self, target, _head, _body):
        path = target.partition("?")[0]
        order_id, _, refunds = path.removeprefix(WOO_API).partition("/")
        with self.lock:
            self.reads += 1
            shop = self.lives[int(order_id) // 1000].shop
            status, value = shop.ask(int(order_id), refunds == "refunds")
            return status, value, shop.clock

    def answer_miro(self, target, head, body):
        """Codes and access tokens name the user and the address, parted by a blank."""
        if target.startswith("/v1/oauth/token"):
            code = parse_qs(body.decode() or target.partition("?")[2])["code"][0]
            return 200, {"user_id": code.split()[0], "team_id": TEAM, "access_token":
                         code.replace(" ", "/"), "refresh_token": "r", "token_type": "bearer",
                         "scope": "identity:read", "expires_in": 3599}, time.time()
        token = head.split(b"Bearer ")[1].split(b"\r\n")[0].decode()
        user, _, address = token.partition("/")
        return 200, {"type": "user", "id": user, "name": "Zoe", "email": address,
                     "state": "registered"}, time.time()

    # What goes in

    def wire(self):
        if not hasattr(self._local, "wire"):
            self._local.wire = Wire(self.run.port)
        return self._local.wire

    def spread(self, work, lives):
        """Runs work(life) for all, each poster its own; the order within one life is kept."""
        shares = [lives[at::POSTERS] for at in range(POSTERS)]

        def share(part):
            for life in part:
                work(life)
            if hasattr(self._local, "wire"):
                self._local.wire.close()
                del self._local.wire
        with concurrent.futures.ThreadPoolExecutor(POSTERS) as pool:
            for done in [pool.submit(share, part) for part in shares]:
                done.result()

    def install(self, life, which):
        """The buyer opens the app in Miro, whose profile has their address in small letters."""
        for number, (name, address) in enumerate(life.shop.buyers()):
            if name != which:
                continue
            if life.seed % LINKED_BY_HAND == 0:
                self.run.ctl("link", user_of(life, number), "-", "--why", "a sample",
                             stdin=address + "\n")
                continue
            code = f"{user_of(life, number)}%20{address.replace('+', '%2B')}"
            status, _ = self.wire().request("GET", f"/oauth/callback?code={code}", {})
            assert status == 302, (status, life.seed)

    def post(self, life, numbers):
        shop = life.shop
        secret = self.run.secret(shop.source)
        for number in numbers:
            webhook = shop.sent[number]
            headers = {"Content-Type": "application/json", **shop.headers(webhook, secret)}
            status, body = self.wire().request("POST", f"/webhooks/{shop.source}", headers,
                                               webhook.body)
            assert status == 200, (status, body, life.seed)

    # What happens to it

    def work(self):
        """Workers side by side, until nothing is due."""
        command = [program_path("purchase-worker"), "--config", self.run.config, "run", "--once"]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True, cwd=self.run.folder,
                                    env=self.run.environment()) for _ in range(WORKERS)]
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            logs = list(pool.map(lambda one: one.communicate(timeout=300)[0], running))
        for process, log in zip(running, logs):
            news = [line for line in log.splitlines() if " info " not in line]
            check_ended("purchase-worker", process.returncode, "\n".join(news))

    def time_passes(self):
        """What waits for its minute, its backoff or a shop's next second is due; returns how much."""
        before = self.run.sql(
            "SELECT (SELECT COUNT(*) FROM delivery WHERE state IN ('pending','leased'))"
            " + (SELECT COUNT(*) FROM shop_order WHERE reread_due_at IS NOT NULL);"
            " UPDATE delivery SET due_at = 0 WHERE state IN ('pending','leased');"
            " UPDATE shop_order SET reread_due_at = 0 WHERE reread_due_at IS NOT NULL")
        return int(before.split()[0])

    def settle(self):
        for _ in range(SETTLING):
            self.work()
            if not self.time_passes():
                return
        raise AssertionError("something is still due:\n" + self.run.sql(
            "SELECT id, state, detail FROM delivery WHERE state IN ('pending','leased') LIMIT 5;"
            " SELECT source_id, order_id, reread_attempts FROM shop_order"
            " WHERE reread_due_at IS NOT NULL LIMIT 5"))

    def advance(self, lives):
        for life in lives:
            with self.lock:
                life.advance()

    def live(self, cases):
        """Lives [(seed, steps)] side by side; returns [(life, plan, differences)]."""
        lives = []
        for seed, steps in cases:
            self.runs += 1
            lives.append(Life(self.runs, seed, steps))
            self.lives[self.runs] = lives[-1]
        plans = {life.run: life.plan() for life in lives}
        self.spread(lambda life: self.install(life, "one" if life.seed % 2 else "two"), lives)
        for wave in range(WAVES):
            if wave:
                self.time_passes()
            self.advance(lives)
            worker = self.run.start_worker()
            self.spread(lambda life, wave=wave: self.post(
                life, [number for _, number in plans[life.run][wave]]), lives)
            self.run.stop_program(worker)
            self.work()
        self.spread(lambda life: self.install(life, "two" if life.seed % 2 else "one"), lives)
        self.settle()
        found = {}
        self.spread(lambda life: found.setdefault(life.run, self.compare(life)), lives)
        for life in lives:
            del self.lives[life.run]
        return [(life, plans[life.run], found[life.run]) for life in lives]

    # What comes out

    def compare(self, life):
        """Sentences on every buyer whose answer is not what the shop says."""
        found = []
        for number, (name, _) in enumerate(life.shop.buyers()):
            user = user_of(life, number)
            token = mint_id_token(user, TEAM, self.run.miro_secret)
            status, body = self.wire().request("GET", "/v1/entitlements",
                                               {"Authorization": f"Bearer {token}"})
            assert status == 200, (status, body)
            got = {}
            for item in json.loads(body)["entitlements"]:
                end = item["expires_at"]
                got[item["key"]] = (item["status"], item["quantity"], end and calendar.timegm(
                    time.strptime(end, "%Y-%m-%dT%H:%M:%SZ")))
            wanted = answer([order for order in life.shop.orders if order.buyer == name],
                            time.time())
            if got != wanted:
                found.append(f"  buyer {name} owns {wanted}\n  but is told {got}")
        return found

    def rebuild_check(self):
        return self.run.ctl("rebuild", "--check")

    def shrink(self, seed, steps):
        """A history that still fails, from which no step can be left out."""
        end = time.monotonic() + SHRINK_SECONDS
        at = len(steps) - 1
        while at > 0 and time.monotonic() < end:
            fewer = [step for number, step in enumerate(steps) if number != at]
            if self.live([(seed, fewer)])[0][2]:
                steps = fewer
            at -= 1
        for at, step in enumerate(steps):
            calm = steps[:at] + [replace(step, cut=False)] + steps[at + 1:]
            if step.cut and time.monotonic() < end and self.live([(seed, calm)])[0][2]:
                steps = calm
        return steps
