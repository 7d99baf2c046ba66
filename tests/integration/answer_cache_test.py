"""Answers kept in memory: never older than a quarter of a second while the database is there, whatever writers do."""

import contextlib
import http.client
import json
import random
import signal
import threading
import time
import unittest

from held import Held
from mariadb import MariaDB
from programs import Deployment, wait_for
from session import Session

TEAM = "3458764514838398336"
FRESH = 0.25  # a kept answer may be as old
NOW = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"
CATALOGUE = {"entitlements": {"icons": {}, "boards": {}},
             "products": [{"source": "main-store", "product": "10", "grants": ["icons"]}]}
ORDER = {"id": 1, "status": "completed", "billing": {"email": "zoe@example.test"}, "refunds": [],
         "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "quantity": 1, "sku": ""}],
         "date_created_gmt": "2026-01-05T10:00:00", "date_modified_gmt": "2026-01-05T10:00:05",
         "date_paid_gmt": "2026-01-05T10:00:05", "meta_data": []}


def feed(user):
    return (f"INSERT INTO change_feed (subject, changed_at) VALUES (UNHEX(SHA2('{user}', 256)),"
            f" {NOW})")


def grant(user, key="icons", quantity=1, ends_at="NULL"):
    """A grant's row alone, as a transaction's first half."""
    return ("INSERT INTO manual_grant (grant_id, user_id, entitlement_key, granted_at, quantity,"
            f" ends_at, granted_by, why) VALUES (RANDOM_BYTES(8), '{user}', '{key}', 0, {quantity},"
            f" {ends_at}, 'test', 'test')")


class Client:
    """One kept connection that asks for one user."""

    def __init__(self, shop, user, **claims):
        self._connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=40)
        self._headers = shop.bearer(user, TEAM, **claims)

    def ask(self, path="/v1/entitlements"):
        """(status, value)."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None

    def items(self):
        status, answer = self.ask()
        assert status == 200, (status, answer)
        return {item["key"]: item["quantity"] for item in answer["entitlements"]}

    def close(self):
        self._connection.close()


class Case(unittest.TestCase):
    """A server and a front of its own for each class; a user of its own for each test."""

    overrides = {}
    tcp = False

    @classmethod
    def setUpClass(cls):
        cls.users = 0
        cls.server = MariaDB(tcp=cls.tcp)
        cls.addClassCleanup(cls.server.close)
        cls.shop = Deployment(cls.server, cls.overrides)
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.shop.apply_catalogue(CATALOGUE)
        cls.webhook = cls.shop.start_webhook()

    def user(self):
        Case.users = getattr(Case, "users", 0) + 1
        return f"70000000000000{Case.users:05d}"

    def client(self, user, **claims):
        client = Client(self.shop, user, **claims)
        self.addCleanup(client.close)
        return client

    def cache(self, result):
        return self.shop.metric("purchase_answer_cache_total", result=result)

    def lost(self, reason):
        return self.shop.metric("purchase_feed_lost_total", reason=reason)

    def kept(self, user):
        """Returns a client once the front answers its user from memory."""
        client = self.client(user)

        def hits():
            before = self.cache("hit")
            client.ask()
            return self.cache("hit") > before

        wait_for(hits, 20, "a kept answer")
        return client

    @contextlib.contextmanager
    def crowd(self):
        """So many checks that answers are given as they were read last: of another user."""
        client, over = self.kept(self.user()), threading.Event()

        def ask():
            while not over.is_set():
                client.ask()

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            before = self.cache("hit")
            wait_for(lambda: self.cache("hit") > before + 200, 20, "the crowd")
            yield
        finally:
            over.set()
            thread.join()


class Fresh(Case):
    def test_a_writer_that_takes_its_time(self):
        """Its feed row's id is lower than those of rows that were seen long before it commits."""
        slow, quick = self.user(), [self.user() for _ in range(20)]
        client = self.kept(slow)
        others = [self.kept(user) for user in quick]
        with Session(self.server, self.shop.database) as session, self.crowd():
            session.run("BEGIN", feed(slow), grant(slow))
            held_until, number = time.monotonic() + 10, 0
            while time.monotonic() < held_until or number < len(quick):
                if number < len(quick):
                    self.shop.sql(f"BEGIN; {grant(quick[number])}; {feed(quick[number])}; COMMIT")
                    committed = time.monotonic()
                    wait_for(lambda: time.monotonic() - committed >= FRESH, 5, every=0.005)
                    self.assertEqual(others[number].items(), {"icons": 1})
                    number += 1
                self.assertEqual(client.items(), {})
            self.assertGreater(self.shop.metric("purchase_feed_gaps"), 0)
            session.run("COMMIT")
            committed = time.monotonic()
            wait_for(lambda: time.monotonic() - committed >= FRESH, 5, every=0.005)
            self.assertEqual(client.items(), {"icons": 1})

    def test_expiry_without_a_writer(self):
        user = self.user()
        end = time.time() + 2
        self.shop.sql(f"BEGIN; {grant(user, ends_at=int(end * 1e6))};"
                      f" {grant(user, 'boards')}; {feed(user)}; COMMIT")
        client = self.kept(user)
        with self.crowd():
            self.assertEqual(client.items(), {"icons": 1, "boards": 1})
            wait_for(lambda: time.time() >= end, 10, every=0.001)
            self.assertEqual(client.items(), {"boards": 1})
            self.assertEqual(client.ask("/v1/entitlements/icons")[1]["reason"], "expired")

    def test_random_writers_and_readers(self):
        """Whoever asks is told a state no older than FRESH before it asked. Quantities count up."""
        users = [self.user() for _ in range(6)]
        until = time.monotonic() + 6
        committed = {user: [(0.0, 0)] for user in users}  # (after its commit, quantity)
        wrong, asked = [], [0]
        for user in users:
            self.shop.sql(grant(user, quantity=0))

        def write(seed):
            dice = random.Random(seed)
            with Session(self.server, self.shop.database) as session:
                number = 0
                while time.monotonic() < until:
                    mine = users[seed::2]
                    touched = dice.sample(mine, dice.randint(1, len(mine)))
                    number += 1
                    lines = []
                    for user in touched:
                        halves = [feed(user), f"UPDATE manual_grant SET quantity = {number}"
                                              f" WHERE user_id = '{user}'"]
                        dice.shuffle(halves)
                        lines += halves
                    session.run("BEGIN", *lines)
                    session.run(f"DO SLEEP({dice.choice((0, 0, 0.01, 0.1, 0.4))})")
                    if dice.random() < 0.2:
                        session.run("ROLLBACK")
                        continue
                    session.run("COMMIT")
                    for user in touched:
                        committed[user].append((time.monotonic(), number))

        def read(seed):
            dice = random.Random(seed)
            clients = {user: self.client(user) for user in users}
            while time.monotonic() < until:
                user = dice.choice(users)
                begun = time.monotonic()
                known = max((number for at, number in list(committed[user])
                             if at <= begun - FRESH), default=0)
                told = clients[user].items().get("icons", 0)
                asked[0] += 1
                if told < known:
                    wrong.append((user, told, known))

        threads = [threading.Thread(target=write, args=(i,)) for i in range(2)]
        threads += [threading.Thread(target=read, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertGreater(asked[0], 500)
        self.assertGreater(self.cache("hit"), 200)
        for user in users:
            truth = self.shop.sql("SELECT quantity FROM manual_grant WHERE user_id ="
                                  f" '{user}'").strip()
            self.assertEqual(self.client(user).items(), {"icons": int(truth)} if truth else {})

    def test_a_token_s_end_while_it_is_remembered(self):
        end = int(time.time()) + 3
        client = self.client(self.user(), exp=end - 60)  # the leeway is a minute
        before = self.shop.metric("purchase_id_tokens_total", how="remembered")
        while time.time() < end - 0.2:
            self.assertEqual(client.ask()[0], 200)
        self.assertGreater(self.shop.metric("purchase_id_tokens_total", how="remembered"), before)
        wait_for(lambda: time.time() >= end, 5, every=0.001)
        status, answer = client.ask()
        self.assertEqual((status, answer["code"]), (401, "token_expired"))

    def test_a_new_secret_forgets_the_old_one_s_tokens(self):
        client = self.kept(self.user())
        self.assertEqual(client.ask()[0], 200)
        before = self.webhook.log_text().count("webhook reloaded")
        old = self.shop.file_text("miro.secret")
        self.shop.write("miro.secret", "another secret of the same app\n")
        self.shop.reload(self.webhook)
        wait_for(lambda: self.webhook.log_text().count("webhook reloaded") > before, 20, "the reload")
        status, answer = client.ask()
        self.assertEqual((status, answer["code"]), (401, "token_invalid"))
        self.shop.write("miro.secret", old)
        self.shop.reload(self.webhook)
        wait_for(lambda: self.webhook.log_text().count("webhook reloaded") > before + 1, 20,
                 "the second reload")
        self.assertEqual(client.ask()[0], 200)


class Quiet(Case):
    """Few ask, so that what was committed before a check came is in its answer."""

    def test_a_quiet_front_answers_as_the_database_would(self):
        user = self.user()
        client = self.kept(user)
        before = self.cache("hit")
        for number in range(1, 31):
            self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; COMMIT")
            self.assertEqual(client.items(), {"icons": number})
            self.assertEqual(client.items(), {"icons": number})
        self.assertGreater(self.cache("hit"), before)

    def test_rolled_back_rows_cost_nothing(self):
        user = self.user()
        client = self.kept(user)
        with Session(self.server, self.shop.database) as session:
            for _ in range(50):
                session.run("BEGIN", feed(user), "ROLLBACK")
        self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; COMMIT")
        self.assertEqual(client.items(), {"icons": 1})
        self.assertEqual(self.lost("gaps"), 0)

    def test_single_keys(self):
        user = self.user()
        client = self.kept(user)
        before = self.cache("hit")
        self.assertEqual(client.ask("/v1/entitlements/icons")[1]["reason"], "never_bought")
        self.assertEqual(client.ask("/v1/entitlements/none")[1]["reason"], "unknown_key")
        self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; COMMIT")
        self.assertEqual(client.ask("/v1/entitlements/icons")[1]["reason"], "active")
        self.assertGreater(self.cache("hit"), before)

    def test_every_writer_tells(self):
        """What changes an answer writes a row of the feed for a subject that the answer stands on."""
        user, other = self.user(), self.user()
        client, second = self.kept(user), self.kept(other)

        def now_is(state, keys, of=client):
            answer = of.ask()[1]
            self.assertEqual(answer["identity"]["state"], state)
            self.assertEqual([item["key"] for item in answer["entitlements"]], keys)
            self.assertEqual(of.ask()[1], answer)

        given = self.shop.ctl_json("grant", user, "boards", "--why", "test")
        now_is("not_installed", ["boards"])
        self.shop.ctl("revoke", given["grant"], "--why", "test")
        now_is("not_installed", [])
        self.shop.ctl("link", user, "zoe@example.test", "--why", "test")
        now_is("linked", [])
        self.shop.deliver_woocommerce(ORDER)
        self.shop.worker_once()
        now_is("linked", ["icons"])
        refund = dict(ORDER, status="refunded", date_modified_gmt="2026-01-06T10:00:05")
        self.shop.deliver_woocommerce(refund)
        self.shop.worker_once()
        now_is("linked", [])
        self.shop.deliver_woocommerce(dict(ORDER, date_modified_gmt="2026-01-07T10:00:05"))
        self.shop.worker_once()
        now_is("linked", ["icons"])
        self.shop.apply_catalogue(dict(CATALOGUE, products=[
            {"source": "main-store", "product": "10", "grants": ["boards"]}]), "--max-revoke", "100")
        self.shop.worker_once()
        now_is("linked", ["boards"])
        self.shop.apply_catalogue(CATALOGUE, "--max-revoke", "100")
        self.shop.worker_once()
        now_is("linked", ["icons"])
        self.shop.ctl("unlink", "zoe@example.test", "--why", "test")
        now_is("not_installed", [])
        self.shop.ctl("link", other, "zoe@example.test", "--why", "test")
        now_is("linked", ["icons"], second)
        grants = self.shop.write("grants.csv", f"user,key,why\n{user},boards,test\n")
        self.shop.ctl("import", "grants", grants)
        now_is("not_installed", ["boards"])


class Waits(Case):
    def begin(self, user, wait=25):
        """A check that waits on a thread of its own: (thread, its answers with their times)."""
        etag, answers = f'"{self.shop.entitlements(user)["version"]}"', []
        before = self.shop.metric("purchase_waits")
        thread = threading.Thread(target=lambda: answers.append(
            (self.shop.entitlements(user, etag=etag, wait=wait), time.monotonic())))
        thread.start()
        self.addCleanup(thread.join)
        wait_for(lambda: self.shop.metric("purchase_waits") > before, 10, "the wait")
        return thread, answers

    def test_an_unlock_reaches_an_open_plugin_at_once(self):
        took = []
        for _ in range(10):
            user = self.user()
            self.kept(user)
            thread, answers = self.begin(user)
            self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; COMMIT")
            committed = time.monotonic()
            thread.join()
            self.assertEqual([item["key"] for item in answers[0][0]["entitlements"]], ["icons"])
            took.append(answers[0][1] - committed)
        print(f"wakes: {', '.join(f'{1000 * value:.0f}' for value in sorted(took))} ms")
        self.assertLess(sorted(took)[5], FRESH)

    def test_a_wait_does_not_look_while_nothing_happens(self):
        user = self.user()
        self.kept(user)
        before = self.cache("miss") + self.cache("hit")
        began = time.monotonic()
        thread, answers = self.begin(user, wait=4)
        asked = self.cache("miss") + self.cache("hit") - before
        thread.join()
        self.assertIsNone(answers[0][0])
        self.assertGreater(time.monotonic() - began, 3.9)
        self.assertLessEqual(self.cache("miss") + self.cache("hit") - before, asked + 1)

    def test_a_wait_ends_when_time_alone_changes_the_answer(self):
        user, end = self.user(), time.time() + 2
        self.shop.sql(f"BEGIN; {grant(user, ends_at=int(end * 1e6))}; {feed(user)}; COMMIT")
        self.kept(user)
        thread, answers = self.begin(user)
        thread.join()
        self.assertEqual(answers[0][0]["entitlements"], [])
        self.assertLess(time.time() - end, 1)

    def test_a_wait_survives_the_database(self):
        user = self.user()
        self.kept(user)
        thread, answers = self.begin(user)
        self.webhook.signal(signal.SIGSTOP)
        try:
            self.server.restart()
            self.shop.sql(grant(user))  # nobody tells: whoever waits has to look
        finally:
            self.webhook.signal(signal.SIGCONT)
        thread.join()
        self.assertEqual([item["key"] for item in answers[0][0]["entitlements"]], ["icons"])


class Off(Case):
    overrides = {"server": {"answer_cache": "false"}}

    def test_every_check_reads(self):
        user = self.user()
        client = self.client(user)
        for number in range(1, 100):
            if number % 10 == 0:
                self.shop.sql(grant(user))  # nobody tells
            self.assertEqual(client.items().get("icons", 0), number // 10)
        self.assertEqual((self.cache("hit"), self.cache("miss")), (0, 0))
        self.assertEqual(self.shop.metric("purchase_answers_kept"), 0)

    def test_waits_are_told_all_the_same(self):
        Waits.test_an_unlock_reaches_an_open_plugin_at_once(self)

    def kept(self, user):
        self.shop.entitlements(user)

    begin = Waits.begin


class Raced(Case):
    tcp = True

    @classmethod
    def setUpClass(cls):
        cls.users = 0
        cls.server = MariaDB(tcp=True)
        cls.addClassCleanup(cls.server.close)
        cls.held = Held(cls.server.port, b" FROM link l")
        cls.addClassCleanup(cls.held.close)
        cls.shop = Deployment(cls.server)
        cls.addClassCleanup(cls.shop.close)
        cls.shop.migrate()
        cls.shop.configure({"database": {"socket": None, "host": "127.0.0.1",
                                         "port": cls.held.port, "connections": 1}})
        cls.shop.apply_catalogue(CATALOGUE)
        cls.webhook = cls.shop.start_webhook()
        cls.addClassCleanup(cls.held.release)

    def test_a_read_that_a_change_overtook_is_not_kept(self):
        """The statement has run; before its answer is there, the change is committed and its row read."""
        self.kept(self.user())
        user, told = self.user(), []
        client = self.client(user)
        raced = self.cache("raced")
        self.held.hold()
        thread = threading.Thread(target=lambda: told.append(client.items()))
        thread.start()
        self.addCleanup(thread.join)
        self.held.held()
        self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; COMMIT")
        committed = time.monotonic()
        wait_for(lambda: time.monotonic() - committed > 2 * FRESH, 5)
        self.held.release()
        thread.join()
        self.assertEqual(told, [{}])  # as it was when it was read
        self.assertEqual(client.items(), {"icons": 1})
        self.assertEqual(self.cache("raced"), raced + 1)

    def test_a_read_of_somebody_else_is_kept(self):
        self.kept(self.user())
        user, told = self.user(), []
        client = self.client(user)
        kept = self.shop.metric("purchase_answers_kept")
        self.held.hold()
        thread = threading.Thread(target=lambda: told.append(client.items()))
        thread.start()
        self.addCleanup(thread.join)
        self.held.held()
        self.shop.sql(feed("somebody else"))
        self.held.release()
        thread.join()
        self.assertEqual(self.shop.metric("purchase_answers_kept"), kept + 1)


class Away(Case):
    overrides = {"server": {"stale_answers": "4"}}

    def test_stale_then_503_then_fresh(self):
        known, unknown, changed = self.user(), self.user(), self.user()
        self.shop.sql(f"BEGIN; {grant(known)}; {feed(known)}; COMMIT")
        client, never = self.kept(known), self.client(unknown)
        old = self.kept(changed)
        fresh = client.ask()[1]
        self.server.kill()
        self.addCleanup(lambda: self.server.running() or self.server.start())
        killed = time.monotonic()
        answer = wait_for(lambda: self.stale(client), 10, "an old answer")
        self.assertEqual(answer.pop("stale_seconds") // 4, 0)
        self.assertEqual(answer, fresh)
        self.assertEqual(client.ask("/v1/entitlements/icons")[1]["entitled"], True)
        self.assertIn("stale_seconds", client.ask("/v1/entitlements/icons")[1])
        self.assertEqual(self.shop.entitlements(known, etag=f'"{fresh["version"]}"'), None)
        self.assertEqual(never.ask()[0], 503)
        status = wait_for(lambda: (client.ask()[0] == 503) and 503, 15, "the end of old answers")
        self.assertEqual(status, 503)
        self.assertGreater(time.monotonic() - killed, 3)
        self.server.start()
        # Nobody tells: the server was away, and what it held before is not what it holds now.
        self.shop.sql(grant(changed))
        wait_for(lambda: old.ask()[0] == 200, 20, "the database")
        answer = old.ask()[1]
        self.assertNotIn("stale_seconds", answer)
        self.assertEqual([item["key"] for item in answer["entitlements"]], ["icons"])
        self.assertGreater(self.lost("database") + self.lost("restart"), 0)
        self.assertEqual(self.kept(changed).items(), {"icons": 1})

    def stale(self, client):
        status, answer = client.ask()
        self.assertIn(status, (200, 503))
        return answer if status == 200 and "stale_seconds" in answer else None

    def test_a_database_that_hangs_is_away(self):
        client = self.kept(self.user())
        fresh = client.ask()[1]
        self.server.freeze()
        begun = time.monotonic()
        try:
            answer = wait_for(lambda: self.stale(client), 8, "an old answer")
        finally:
            self.server.thaw()
        self.assertLess(time.monotonic() - begun, 4)
        del answer["stale_seconds"]
        self.assertEqual(answer, fresh)
        wait_for(lambda: "stale_seconds" not in client.ask()[1], 30, "a fresh answer")


def rows(shop, count, step):
    """So many rows of the feed with ids so far apart, in one transaction."""
    shop.sql("INSERT INTO change_feed (id, subject, changed_at) SELECT"
             f" (SELECT COALESCE(MAX(id), 0) FROM change_feed) + seq * {step}, REPEAT('x', 32), {NOW}"
             f" FROM seq_1_to_{count}")


class KnownToBeOld(Case):
    def test_what_was_read_meanwhile_takes_the_place_of_an_older_answer(self):
        """While the feed is lost nothing is kept; what a check has told since must not be taken back with the database."""
        user = self.user()
        self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; COMMIT")
        client = self.kept(user)
        self.assertEqual(client.items(), {"icons": 1})
        rows(self.shop, 600, 2)
        wait_for(lambda: client.ask() and self.lost("gaps") == 1, 10, "the loss")
        self.shop.sql(f"BEGIN; UPDATE manual_grant SET revoked_at = 1 WHERE user_id = '{user}'; {feed(user)}; COMMIT")
        self.assertEqual(client.items(), {})
        self.server.kill()
        self.addCleanup(lambda: self.server.running() or self.server.start())
        answer = wait_for(lambda: (told := client.ask())[0] == 200 and "stale_seconds" in told[1] and told[1],
                          10, "an old answer")
        self.assertEqual(answer["entitlements"], [])
        self.assertFalse(client.ask("/v1/entitlements/icons")[1]["entitled"])


class Lost(Case):
    def test_more_gaps_than_are_remembered(self):
        user = self.user()
        client = self.kept(user)
        rows(self.shop, 200, 2)
        self.kept(user)
        self.assertGreaterEqual(self.shop.metric("purchase_feed_gaps"), 200)
        self.assertEqual(self.lost("gaps"), 0)
        rows(self.shop, 600, 2)
        wait_for(lambda: client.ask() and self.lost("gaps") == 1, 10, "the loss")
        for number in range(1, 4):  # every check reads the database now
            self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; COMMIT")
            self.assertEqual(client.items(), {"icons": number})
        self.assertIn("feed lost why=gaps", self.webhook.log_text())


class Emptied(Case):
    def test_an_emptied_feed(self):
        """As after a restore: its ids begin anew."""
        user = self.user()
        client = self.kept(user)
        self.shop.sql(feed("somebody"))
        self.kept(user)
        self.shop.sql(f"TRUNCATE change_feed; {grant(user)}")
        wait_for(lambda: client.items() == {"icons": 1}, 10, "the truth")
        self.assertEqual(self.lost("row"), 1)

    def test_more_rows_than_one_reading_takes(self):
        user = self.user()
        client = self.kept(user)
        self.shop.sql(f"BEGIN; {grant(user)}; {feed(user)}; INSERT INTO change_feed (subject,"
                      f" changed_at) SELECT REPEAT('x', 32), {NOW} FROM seq_1_to_20000; COMMIT")
        wait_for(lambda: client.items() == {"icons": 1} and self.lost("crowded") == 1, 10,
                 "the loss")
        self.kept(user)

    def test_old_rows_are_deleted_and_the_newest_stays(self):
        self.shop.sql("DELETE FROM change_feed; INSERT INTO change_feed (subject, changed_at)"
                      " SELECT REPEAT('x', 32), seq FROM seq_1_to_100")
        self.shop.worker_once()
        self.assertEqual(self.shop.sql("SELECT changed_at FROM change_feed").split(), ["100"])


if __name__ == "__main__":
    unittest.main()
