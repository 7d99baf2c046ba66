"""Miro's tokens on their way: refreshed before their end, once, by one worker; what Miro refuses is
marked and loses nothing else; what is our own fault marks nothing."""

import json
import signal
import threading
import time
import unittest
import urllib.parse

from fake_miro import PROFILE, TOKEN, FakeMiro, error
from fake_shop import Answer
from mariadb import MariaDB
from programs import Deployment, wait_for
from signing import MIRO_CLIENT_ID

USER = "3458764514838398337"
OTHER = "3458764514838398338"
TEAM = "3458764514838398336"
SECOND_TEAM = "3458764514838398339"
ADDRESS = "zoe@example.test"
TOKEN_INFO = "/v1/oauth-token"
BAD_TOKEN = error(401, "oauthError", "Invalid refresh token")
BAD_CLIENT = error(401, "oauthError", "Invalid client credentials")
BAD_SOMETHING = error(401, "oauthError", "Unauthorized")
CATALOGUE = {"entitlements": {"icons": {"name": "Icons"}},
             "products": [{"source": "main-store", "product": "10", "grants": ["icons"]}]}
HOUR = 3599
MICRO = 1000000


class RotatingMiro(FakeMiro):
    """A Miro that keeps its own books: a refresh kills the pair that it was made with."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        self.requests.clear()
        self.answers.clear()
        self.secrets = None         # accepted client secrets; None: any
        self.client_answer = BAD_CLIENT
        self.before_refresh = None  # called with the form; may give an answer
        self.after_refresh = None   # called with the form, when the new pair stands
        self.expires_in = HOUR
        self.pairs = {}             # refresh token: (user, team)
        self.alive = {}             # access token: user
        self.addresses = {USER: ADDRESS}
        self.issued = 0
        self.answers[TOKEN] = self.token_call
        self.answers[PROFILE] = self.profile_call
        self.answers[TOKEN_INFO] = self.info_call

    def issue(self, user, team):
        with self.lock:
            self.issued += 1
            for tokens in (self.pairs, self.alive):
                for token in [token for token, owner in tokens.items() if owner == (user, team)]:
                    del tokens[token]
            pair = f"access-secret-{self.issued}", f"refresh-secret-{self.issued}"
            self.alive[pair[0]] = (user, team)
            self.pairs[pair[1]] = (user, team)
        return pair

    def token_call(self, asked):
        form = dict(urllib.parse.parse_qsl(asked.body.decode()))
        if self.secrets is not None and form["client_secret"] not in self.secrets:
            return self.client_answer
        if form["grant_type"] == "authorization_code":
            user, team = form["code"].split("/")
            access, refresh = self.issue(user, team)
            return {"user_id": user, "team_id": team, "access_token": access, "scope": "s",
                    "refresh_token": refresh, "expires_in": HOUR, "token_type": "bearer"}
        answer = self.before_refresh and self.before_refresh(form)
        if answer is not None:
            return answer
        owner = self.pairs.get(form["refresh_token"])
        if owner is None:
            return BAD_TOKEN
        access, refresh = self.issue(*owner)
        answer = self.after_refresh and self.after_refresh(form)
        if answer is not None:
            return answer
        return {"token_type": "bearer", "team_id": int(owner[1]), "access_token": access,
                "refresh_token": refresh, "scope": "s", "expires_in": self.expires_in}

    def owner(self, asked):
        return self.alive.get(asked.headers.get("Authorization", "").removeprefix("Bearer "))

    def profile_call(self, asked):
        owner = self.owner(asked)
        if owner is None:
            return error(401, "tokenNotValid", "The access token is invalid or has expired")
        return {"type": "user", "id": owner[0], "email": self.addresses.get(owner[0]),
                "state": "registered"}

    def info_call(self, asked):
        if self.owner(asked) is None:
            return error(401, "tokenNotValid", "The access token is invalid or has expired")
        return {"type": "oAuthToken", "user": {"id": self.owner(asked)[0]}}

    def refreshes(self):
        return [form["refresh_token"] for form in self.exchanges()
                if form["grant_type"] == "refresh_token"]


class Tokens(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.miro = RotatingMiro()
        cls.addClassCleanup(cls.miro.close)
        cls.run_ = Deployment(cls.server, {"miro": cls.miro.settings()})
        cls.addClassCleanup(cls.run_.close)
        cls.run_.migrate()
        cls.run_.apply_catalogue(CATALOGUE)
        cls.run_.start_webhook()

    def setUp(self):
        self.miro.reset()
        self.workers = []
        self.run_.sql("DELETE FROM miro_token; DELETE FROM link; DELETE FROM address;"
                      " DELETE FROM miro_user; DELETE FROM contested_address;")

    def tearDown(self):
        for worker in self.workers:
            if worker in self.run_.programs:
                self.run_.stop_program(worker)

    # Means

    def worker(self):
        worker = self.run_.start_worker()
        self.workers.append(worker)
        return worker

    def install(self, user=USER, team=TEAM):
        status, _, body = self.run_.request(
            "GET", f"/oauth/callback?code={user}%2F{team}&client_id={MIRO_CLIENT_ID}")
        self.assertEqual(status, 302, body)

    def rows(self, text):
        return self.server.rows(text, self.run_.database)

    def one(self, text):
        return self.rows(text)[0][0]

    def make_due(self, where="1"):
        self.run_.sql(f"UPDATE miro_token SET refresh_due_at = 1 WHERE {where}")

    def make_profile_due(self):
        self.run_.sql("UPDATE miro_user SET profile_due_at = 1")

    def make_expired(self):
        self.run_.sql("UPDATE miro_token SET expires_at = 2, refresh_due_at = 1 WHERE"
                      " expires_at IS NOT NULL")

    def states(self):
        return dict(self.rows("SELECT team_id, state FROM miro_token"))

    def state(self, user=USER):
        return self.run_.entitlements(user)["identity"]["state"]

    def expect_refreshed(self, times=1, where="1"):
        self.assertEqual(self.rows("SELECT DISTINCT generation, refresh_attempts, state,"
                                   f" lease_owner IS NULL FROM miro_token WHERE {where}"),
                         [[str(1 + times), "0", "valid", "1"]])

    def expect_untouched(self):
        self.assertEqual(self.rows("SELECT DISTINCT generation, state, lease_owner IS NULL"
                                   " FROM miro_token"), [["1", "valid", "1"]])

    def buy(self, number):
        self.run_.deliver_woocommerce({
            "id": number, "status": "processing", "currency": "EUR", "total": "10.00",
            "order_key": f"wc_order_{number}", "billing": {"email": ADDRESS},
            "date_created_gmt": "2026-11-20T10:00:00", "date_paid_gmt": "2026-11-20T10:00:00",
            "date_modified_gmt": "2026-11-20T10:00:00", "meta_data": [], "refunds": [],
            "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "quantity": 1,
                            "sku": "ICONS", "total": "10.00", "name": "Icons"}]})

    # When

    def test_a_refresh_is_due_well_before_the_end(self):
        self.install()
        left = int(self.one("SELECT expires_at - refresh_due_at FROM miro_token")) / MICRO
        self.assertTrue(590 < left < 910, left)
        self.run_.worker_once()
        self.assertEqual(self.miro.refreshes(), [])

    def test_a_due_token_is_refreshed_and_both_change(self):
        self.install()
        old = self.rows("SELECT HEX(access_token), HEX(refresh_token) FROM miro_token")[0]
        self.make_due()
        self.run_.worker_once()
        self.assertEqual(self.miro.refreshes(), ["refresh-secret-1"])
        self.expect_refreshed()
        new = self.rows("SELECT HEX(access_token), HEX(refresh_token) FROM miro_token")[0]
        self.assertTrue(old[0] != new[0] and old[1] != new[1])
        self.assertEqual(self.one("SELECT refresh_due_at > issued_at + 2000000000 AND"
                                  " refresh_due_at < expires_at FROM miro_token"), "1")
        self.make_due()
        self.make_profile_due()
        self.run_.worker_once()
        self.assertEqual(self.miro.refreshes(), ["refresh-secret-1", "refresh-secret-2"])
        self.assertEqual(self.miro.asked(PROFILE)[-1].headers["Authorization"],
                         "Bearer access-secret-3")
        self.expect_refreshed(2)

    def test_a_running_worker_refreshes_before_the_end(self):
        """Tokens of two seconds: none is ever seen dead."""
        self.miro.expires_in = 2
        self.install()
        worker = self.worker()
        self.make_due()
        wait_for(lambda: len(self.miro.refreshes()) >= 4, 20, "four refreshes")
        self.assertEqual(self.one("SELECT expires_at > UNIX_TIMESTAMP(NOW(6)) * 1000000"
                                  " FROM miro_token"), "1")
        self.run_.stop_program(worker)
        log = worker.log_text()
        self.assertIn("tokens refreshed", log)
        self.assertNotIn("secret-", log)
        self.assertNotIn("WARN", log)

    def test_a_stop_in_the_middle_of_a_refresh_loses_nothing(self):
        """Miro has spent the old pair when the signal comes: the new one is waited for, and stored."""
        for verb in ("run", "resync"):
            self.miro.reset()
            self.run_.sql("DELETE FROM miro_token")
            self.install()
            self.make_due()
            spent, told = threading.Event(), threading.Event()

            def stopped_meanwhile(_, spent=spent, told=told):
                spent.set()
                told.wait(30)

            self.miro.after_refresh = stopped_meanwhile
            worker = self.run_._start("purchase-worker", verb)
            self.assertTrue(spent.wait(30))
            worker.signal(signal.SIGTERM)
            wait_for(lambda worker=worker: "worker stopping" in worker.log_text(), 30, "the signal's arrival")
            told.set()
            self.assertEqual(worker.process.wait(30), 0, worker.log_text())
            self.run_.programs.remove(worker)
            self.expect_refreshed()
            self.assertEqual(self.state(), "linked")

    def test_tokens_that_do_not_end_are_left_alone(self):
        self.install()
        self.run_.sql("UPDATE miro_token SET expires_at = NULL, refresh_token = NULL,"
                      " refresh_due_at = 1")
        self.install(OTHER)
        self.run_.sql("UPDATE miro_token SET expires_at = NULL, refresh_due_at = NULL"
                      f" WHERE user_id = '{OTHER}'")
        self.run_.worker_once()
        self.assertEqual(self.miro.refreshes(), [])
        self.expect_untouched()

    # Who

    def test_two_workers_refresh_a_token_once(self):
        users = [str(5000 + i) for i in range(24)]
        for user in users:
            self.install(user)
        self.make_due()
        self.worker()
        self.worker()
        wait_for(lambda: self.one("SELECT COUNT(*) FROM miro_token WHERE generation = 1") == "0",
                 30, "every token's refresh")
        self.assertEqual(sorted(self.miro.refreshes()),
                         sorted(f"refresh-secret-{i + 1}" for i in range(24)))
        self.expect_refreshed()

    def killed_while_asking(self, hook):
        """A worker that dies while Miro holds its call. `hook` names when Miro pauses."""
        asked, dead = threading.Event(), threading.Event()

        def hold(_):
            asked.set()
            dead.wait(30)
            setattr(self.miro, hook, None)
            return Answer(close=True)

        setattr(self.miro, hook, hold)
        worker = self.worker()
        self.make_due()
        self.assertTrue(asked.wait(20))
        self.run_.kill_program(worker)
        dead.set()

    def test_a_killed_workers_lease_runs_out_and_is_taken_over(self):
        self.install()
        self.killed_while_asking("before_refresh")
        self.assertEqual(self.rows("SELECT lease_owner IS NULL, lease_until = refresh_due_at,"
                                   " lease_until > UNIX_TIMESTAMP() * 1000000 FROM miro_token"),
                         [["0", "1", "1"]])
        self.run_.worker_once()
        self.assertEqual(self.miro.refreshes(), ["refresh-secret-1"])
        self.run_.sql("UPDATE miro_token SET lease_until = 1, refresh_due_at = 1")
        self.run_.worker_once()
        self.assertEqual(self.miro.refreshes(), ["refresh-secret-1"] * 2)
        self.expect_refreshed()

    def test_a_lost_answer_costs_a_new_sign_in_and_nothing_else(self):
        """Killed between Miro's rotation and our store: the old pair is dead, the new unknown."""
        self.install()
        self.buy(901)
        self.run_.worker_once()
        self.assertEqual(self.run_.keys(USER), ["icons"])
        self.killed_while_asking("after_refresh")
        self.run_.sql("UPDATE miro_token SET lease_until = 1, refresh_due_at = 1")
        self.run_.worker_once()
        self.assertEqual(self.states(), {TEAM: "refused"})
        self.assertEqual(self.state(), "reauthorize")
        self.assertEqual(self.run_.keys(USER), ["icons"])
        self.install()
        self.assertEqual(self.state(), "linked")

    def test_a_pair_outlives_a_database_that_is_away(self):
        self.install()
        self.miro.after_refresh = lambda _: self.server.kill()
        worker = self.worker()
        self.make_due()
        wait_for(lambda: "tokens store_again" in worker.log_text(), 30, "a failed store")
        self.miro.after_refresh = None
        self.server.restart()
        wait_for(lambda: self.one("SELECT generation FROM miro_token") == "2", 30, "the store")
        self.expect_refreshed()
        self.assertEqual(self.miro.refreshes(), ["refresh-secret-1"])

    def test_an_install_during_a_refresh_stands(self):
        """The pair of the newer sign-in is the row's; the refresh's comes too late."""
        self.install()

        def install(_):
            self.miro.after_refresh = None
            self.install()

        self.miro.after_refresh = install
        self.make_due()
        self.run_.worker_once()
        self.expect_refreshed()  # by the install alone
        self.make_due()
        self.run_.worker_once()
        self.assertEqual(self.miro.refreshes()[-1], "refresh-secret-3")
        self.expect_refreshed(2)

    def test_a_late_answer_revives_what_it_had_killed(self):
        """Another worker took the lease over, asked with the dead pair, and marked it refused."""
        self.install()

        def refuse(_):
            self.run_.sql("UPDATE miro_token SET state = 'refused', refused_at = 1,"
                          " refresh_due_at = NULL, lease_owner = NULL, lease_until = NULL;"
                          " UPDATE miro_user SET profile_due_at = NULL")

        self.miro.after_refresh = refuse
        self.make_due()
        self.run_.worker_once()
        self.expect_refreshed()
        self.assertEqual(self.state(), "linked")
        self.assertEqual(self.one("SELECT profile_due_at IS NULL FROM miro_user"), "0")

    # Refusals

    def test_a_refused_refresh_loses_nothing_else(self):
        self.install()
        self.buy(902)
        self.install(team=SECOND_TEAM)
        self.run_.worker_once()
        self.miro.pairs = {token: owner for token, owner in self.miro.pairs.items()
                           if owner[1] != TEAM}
        self.make_due()
        self.run_.worker_once()
        self.assertEqual(self.states(), {TEAM: "refused", SECOND_TEAM: "valid"})
        self.assertEqual(self.state(), "linked")
        self.miro.pairs.clear()
        before = self.run_.entitlements(USER)
        self.make_due("state = 'valid'")
        self.run_.worker_once()
        self.assertEqual(self.states(), {TEAM: "refused", SECOND_TEAM: "refused"})
        after = self.run_.entitlements(USER)
        self.assertEqual(after["identity"], {"state": "reauthorize"})
        self.assertEqual(after["entitlements"], before["entitlements"])
        self.assertEqual(self.one("SELECT COUNT(*) FROM link"), "1")
        asked = len(self.miro.requests)
        self.make_profile_due()
        self.run_.worker_once()
        self.assertEqual(len(self.miro.requests), asked)  # with what?

    def test_rfc_6749_says_so_too(self):
        for code, state in (("invalid_grant", "refused"), ("invalid_client", "valid")):
            self.setUp()
            self.install()
            self.miro.before_refresh = lambda _, code=code: Answer({"error": code}, 400)
            self.make_due()
            self.run_.worker_once()
            self.assertEqual(self.states(), {TEAM: state}, code)

    def test_a_wrong_client_secret_marks_nothing(self):
        """One call tells, and all wait; with the right one they go on."""
        users = [str(6000 + i) for i in range(20)]
        for user in users:
            self.install(user)
        self.miro.secrets = ["another"]
        self.make_due()
        worker = self.worker()
        wait_for(lambda: "tokens app_misconfigured" in worker.log_text(), 20, "the complaint")
        self.run_.worker_once()
        self.assertLess(len(self.miro.refreshes()), 5)
        self.expect_untouched()
        self.assertNotIn(self.run_.miro_secret, worker.log_text())
        self.miro.secrets = [self.run_.miro_secret]
        self.make_due()
        self.run_.worker_once()
        wait_for(lambda: self.one("SELECT COUNT(*) FROM miro_token WHERE generation = 1") == "0",
                 30, "every token's refresh")
        self.expect_refreshed()

    def test_a_secret_corrected_by_a_reload_is_tried_at_once(self):
        self.install()
        self.run_.write("miro.secret", "wrong-secret-of-ours\n")
        self.addCleanup(self.run_.write, "miro.secret", self.run_.miro_secret + "\n")
        self.miro.secrets = [self.run_.miro_secret]
        self.make_due()
        worker = self.worker()
        wait_for(lambda: "tokens app_misconfigured" in worker.log_text(), 20, "the complaint")
        self.run_.write("miro.secret", self.run_.miro_secret + "\n")
        worker.signal(signal.SIGHUP)
        wait_for(lambda: "worker reloaded" in worker.log_text(), 20, "the reload")
        self.make_due()
        wait_for(lambda: self.one("SELECT generation FROM miro_token") == "2", 5, "the refresh")

    def test_each_secret_of_the_file_is_tried(self):
        self.install()
        for answer in (BAD_CLIENT, BAD_SOMETHING):
            self.miro.client_answer = answer
            self.run_.write("miro.secret", f"new-one\n{self.run_.miro_secret}\n")
            self.addCleanup(self.run_.write, "miro.secret", self.run_.miro_secret + "\n")
            self.miro.secrets = [self.run_.miro_secret]
            before = int(self.one("SELECT generation FROM miro_token"))
            self.make_due()
            self.run_.worker_once()
            self.expect_refreshed(before)

    def test_words_that_name_nothing_mark_only_what_is_dead(self):
        """Miro refuses, and does not say what: the access token decides, which needs no secret."""
        self.install()
        self.miro.before_refresh = lambda _: BAD_SOMETHING
        self.make_due()
        self.run_.worker_once()
        self.expect_untouched()
        self.miro.alive.clear()
        self.make_due()
        self.run_.worker_once()
        self.assertEqual(self.states(), {TEAM: "refused"})

    def test_words_that_name_nothing_after_the_hour_mark_nothing(self):
        """A dead access token proves nothing once its time is over; 60 days later both are dead."""
        self.install()
        self.miro.before_refresh = lambda _: BAD_SOMETHING
        self.miro.alive.clear()
        self.make_expired()
        self.run_.worker_once()
        self.expect_untouched()
        self.run_.sql("UPDATE miro_token SET refresh_due_at = 1,"
                      f" issued_at = issued_at - {61 * 86400 * MICRO}")
        self.run_.worker_once()
        self.assertEqual(self.states(), {TEAM: "refused"})

    def test_a_strangers_page_marks_nothing(self):
        self.install()
        for status in (200, 302, 400, 401, 403, 404, 503):
            page = Answer(b"<html>Sign in to the hotel</html>", status)
            self.miro.answers[TOKEN_INFO] = page
            self.miro.before_refresh = lambda _, page=page: page
            self.make_due()
            self.run_.worker_once()
            self.expect_untouched()

    def test_another_users_tokens_are_not_taken(self):
        self.install()
        self.miro.before_refresh = lambda _: {
            "user_id": OTHER, "team_id": TEAM, "access_token": "a", "refresh_token": "r",
            "expires_in": HOUR}
        self.make_due()
        self.run_.worker_once()
        self.expect_untouched()

    # Limits

    def test_429_waits_until_the_limit_is_reset_for_this_user(self):
        self.install()
        self.install(team=SECOND_TEAM)
        self.install(OTHER)
        reset = int(time.time()) + 300
        limited = {f"refresh-secret-{i}" for i in (1, 2)}
        self.miro.before_refresh = lambda form: Answer(
            {"status": 429, "code": "tooManyRequests", "message": "Request rate limit exceed"}, 429,
            {"X-RateLimit-Reset": str(reset)}) if form["refresh_token"] in limited else None
        self.make_due(f"user_id = '{OTHER}' OR team_id = '{TEAM}'")
        self.run_.sql("UPDATE miro_token SET refresh_due_at = 2"
                      f" WHERE team_id = '{SECOND_TEAM}'")
        self.make_profile_due()
        self.run_.worker_once()
        mine = [token for token in self.miro.refreshes() if token in limited]
        self.assertGreaterEqual(len(mine), 1)
        self.assertEqual(len(mine), len(set(mine)))
        for at, in self.rows(f"SELECT refresh_due_at FROM miro_token WHERE user_id = '{USER}'"):
            self.assertGreaterEqual(int(at), (reset - 2) * MICRO)
            self.assertLess(int(at), (reset + 60) * MICRO)
        self.assertGreaterEqual(
            int(self.one(f"SELECT profile_due_at FROM miro_user WHERE user_id = '{USER}'")),
            (reset - 2) * MICRO)
        self.expect_refreshed(where=f"user_id = '{OTHER}'")
        self.assertEqual(self.states()[TEAM], "valid")

    def test_a_limited_profile_waits_with_the_users_tokens(self):
        self.install()
        reset = int(time.time()) + 300
        self.miro.profile_says(Answer({"status": 429, "code": "tooManyRequests"}, 429,
                                      {"X-RateLimit-Reset": str(reset)}))
        self.make_profile_due()
        self.run_.sql("UPDATE miro_token SET refresh_due_at = "
                      f"{(reset - 200) * MICRO}")
        asked = len(self.miro.asked(PROFILE))
        self.run_.worker_once()
        self.assertEqual(len(self.miro.asked(PROFILE)), asked + 1)
        self.assertGreaterEqual(int(self.one("SELECT profile_due_at FROM miro_user")),
                                (reset - 2) * MICRO)
        self.assertGreaterEqual(int(self.one("SELECT refresh_due_at FROM miro_token")),
                                (reset - 2) * MICRO)

    def test_a_miro_that_is_away_is_left_alone(self):
        for user in range(7000, 7020):
            self.install(str(user))
        self.miro.before_refresh = lambda _: error(503, "unavailable", "Away")
        self.make_due()
        self.run_.worker_once()
        self.assertLessEqual(len(self.miro.refreshes()), 2)
        self.expect_untouched()

    # Profiles

    def test_an_expired_token_is_refreshed_before_its_profile_is_read(self):
        self.install()
        self.run_.sql("UPDATE miro_token SET expires_at = 2, refresh_due_at = 9000000000000000")
        self.miro.alive.clear()
        self.miro.addresses[USER] = "new@example.test"
        self.make_profile_due()
        asked = len(self.miro.asked(PROFILE))
        self.run_.worker_once()
        self.assertEqual(len(self.miro.asked(PROFILE)), asked + 1)
        self.expect_refreshed()
        self.assertEqual(self.one("SELECT COUNT(*) FROM link"), "2")

    def test_a_refused_profile_is_tried_again_with_a_new_token(self):
        self.install()
        self.miro.alive.clear()
        self.make_profile_due()
        asked = len(self.miro.asked(PROFILE))
        self.run_.worker_once()
        self.assertEqual([request.headers["Authorization"]
                          for request in self.miro.asked(PROFILE)[asked:]],
                         ["Bearer access-secret-1", "Bearer access-secret-2"])
        self.expect_refreshed()
        self.assertEqual(self.state(), "linked")

    def test_a_refused_profile_and_a_refused_refresh_are_the_end(self):
        self.install()
        self.miro.alive.clear()
        self.miro.pairs.clear()
        self.make_profile_due()
        self.run_.worker_once()
        self.assertEqual(self.states(), {TEAM: "refused"})
        self.assertEqual(self.state(), "reauthorize")
        self.assertEqual(self.rows("SELECT profile_due_at FROM miro_user"), [["NULL"]])

    def test_a_refused_profile_waits_for_a_miro_that_is_away(self):
        self.install()
        self.miro.alive.clear()
        self.miro.before_refresh = lambda _: error(503, "unavailable", "Away")
        self.make_profile_due()
        self.run_.worker_once()
        self.expect_untouched()
        self.assertEqual(self.state(), "linked")

    def test_a_new_address_is_linked_and_the_old_one_stays(self):
        self.install()
        self.assertEqual(self.one("SELECT profile_due_at > profile_read_at + 6 * 86400000000"
                                  " FROM miro_user"), "1")
        self.miro.addresses[USER] = "zoe.new@example.test"
        self.make_profile_due()
        self.run_.worker_once()
        self.assertEqual(self.rows("SELECT user_id FROM link"), [[USER], [USER]])
        self.miro.addresses[USER] = None
        self.make_profile_due()
        self.run_.worker_once()
        self.assertEqual(self.rows("SELECT user_id FROM link"), [[USER], [USER]])
        self.miro.addresses[OTHER] = ADDRESS
        self.install(OTHER)
        self.assertEqual(self.rows("SELECT user_id FROM link"), [[USER], [USER]])
        self.assertEqual(self.rows("SELECT user_id FROM contested_address"), [[OTHER]])

    # Resync

    def test_a_resync_does_what_is_due(self):
        self.install()
        self.install(OTHER)
        for user in range(7100, 7140):
            self.install(str(user))
        self.miro.addresses[OTHER] = "other@example.test"
        self.make_due()
        self.make_profile_due()
        self.run_.sql(f"UPDATE miro_token SET refresh_due_at = 9000000000000000"
                      f" WHERE user_id = '{USER}'")
        before = len(self.miro.requests)
        dry = self.run_.run("purchase-worker", "resync", "--dry-run")
        self.assertEqual(len(self.miro.requests), before)
        self.expect_untouched()
        done = self.run_.run("purchase-worker", "resync")
        self.expect_refreshed(where=f"user_id <> '{USER}'")
        self.assertEqual(self.one("SELECT COUNT(*) FROM miro_user WHERE profile_due_at = 1"), "0")
        self.assertEqual(sorted(self.rows("SELECT user_id FROM link")), [[USER], [OTHER]])
        self.assertIn(f"user {OTHER} team {TEAM}: the profile's address linked", done.stdout)
        self.assertIn(f"user 7100 team {TEAM}: token refreshed", done.stdout)
        for said in (dry, done):
            self.assertNotIn("@", said.stdout + said.stderr)
            self.assertNotIn("secret-", said.stdout + said.stderr)
        again = self.run_.run("purchase-worker", "resync")
        self.assertNotIn("token refreshed", again.stdout)


class BesideTheStandIn(unittest.TestCase):
    """The stand-in Miro's own books, without a word of ours."""

    def test_tokens_of_the_stand_in_are_refreshed_until_it_is_uninstalled(self):
        with MariaDB() as server, Deployment(server) as run:
            run.migrate()
            run.start_sandbox()
            run.start_webhook()
            self.turn(run, "miro", token_seconds=2)
            user, team = self.install(run)
            worker = run.start_worker()
            generation = "SELECT generation FROM miro_token"
            wait_for(lambda: int(run.sql(generation)) >= 3, 30, "two refreshes")
            self.turn(run, "faults", miro_calls=1, miro_status=429)
            now = int(run.sql(generation))
            wait_for(lambda: int(run.sql(generation)) >= now + 2, 30, "refreshes after a 429")
            self.assertEqual(run.entitlements(user, team)["identity"], {"state": "linked"})
            self.turn(run, "uninstall", user=user)
            wait_for(lambda: run.sql("SELECT state FROM miro_token").strip() == "refused", 30,
                     "the refusal")
            self.assertEqual(run.entitlements(user, team)["identity"], {"state": "reauthorize"})
            self.assertEqual(run.sql("SELECT COUNT(*) FROM link").strip(), "1")
            self.assertNotIn("miro.origin", worker.log_text())
            self.assertNotIn("eyJ", worker.log_text())

    @staticmethod
    def turn(run, knob, **values):
        status, _, answer = run.request_json(
            "POST", f"/sandbox/api/{knob}", json.dumps(values),
            {"Content-Type": "application/json"}, run.sandbox_port)
        assert status == 200, answer
        return answer

    @staticmethod
    def install(run):
        """As Miro itself begins it; the person presses the button."""
        _, _, state = run.request_json("GET", "/sandbox/api/state", port=run.sandbox_port)
        person = next(one for one in state["users"] if one.get("email"))
        user, team = person["id"], person["teams"][0]
        team = team["id"] if isinstance(team, dict) else team
        callback = f"http://127.0.0.1:{run.port}/oauth/callback"
        form = urllib.parse.urlencode({
            "response_type": "code", "client_id": MIRO_CLIENT_ID, "redirect_uri": callback,
            "user": user, "team": team, "decision": "allow"})
        status, headers, _ = run.request(
            "POST", f"/oauth/authorize?{form}", form,
            {"Content-Type": "application/x-www-form-urlencoded"}, run.sandbox_port)
        assert status in (302, 303), status
        target = headers["Location"]
        status, _, body = run.request("GET", target[target.index("/oauth/callback"):])
        assert status == 302, body
        return user, team


if __name__ == "__main__":
    unittest.main(verbosity=2)
