"""Faults that were found once in what becomes of Miro's tokens, each by its name."""

import threading
import unittest

from fake_miro import PROFILE, FakeMiro, error
from mariadb import MariaDB
from programs import Deployment
from signing import MIRO_CLIENT_ID

USER = "3458764514838398337"
TEAM = "3458764514838398336"
ADDRESS = "zoe@example.test"
AWAY = error(503, "unavailable", "Away")
CROWD = 40  # more users than a worker looks at in one round


class Regressions(unittest.TestCase):
    """A Miro that each test words, and a front that begins with nobody."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.miro = FakeMiro()
        cls.addClassCleanup(cls.miro.close)
        cls.run_ = Deployment(cls.server, {"miro": cls.miro.settings()})
        cls.addClassCleanup(cls.run_.close)
        cls.run_.migrate()
        cls.run_.start_webhook()

    def setUp(self):
        self.miro.requests.clear()
        self.miro.answers.clear()
        self.run_.sql("DELETE FROM miro_token; DELETE FROM link; DELETE FROM address;"
                      " DELETE FROM miro_user; DELETE FROM contested_address;")

    def install(self, user=USER, team=TEAM):
        self.miro.token(user, team, access_token=f"access-{team}")
        status, _, body = self.run_.request(
            "GET", f"/oauth/callback?code=c-{team}&client_id={MIRO_CLIENT_ID}&team_id={team}")
        self.assertEqual(status, 302, body)

    def rows(self, text):
        return self.server.rows(text, self.run_.database)

    def make_due(self):
        self.run_.sql("UPDATE miro_user SET profile_due_at = 1")

    def state(self, user=USER):
        return self.run_.entitlements(user)["identity"]["state"]

    def crowd(self, token, expires_at):
        """Users who were due before everybody else."""
        self.run_.sql(
            f"INSERT INTO miro_user (user_id, created_at, profile_due_at)"
            f" SELECT 1000 + seq, 1, 0 FROM seq_1_to_{CROWD};"
            f" INSERT INTO miro_token (client_id, user_id, team_id, access_token, expires_at,"
            f" issued_at) SELECT '{MIRO_CLIENT_ID}', 1000 + seq, '7', {token}, {expires_at}, 1"
            f" FROM seq_1_to_{CROWD}")

    def test_a_refused_token_leaves_the_users_other_token(self):
        """Whichever team's is asked with first is refused; the other still reads the profile."""
        self.miro.profile_says(AWAY)
        self.install(team="7")
        self.install(team="8")
        told = {"type": "user", "id": USER, "email": ADDRESS, "state": "registered"}
        refused, lock = [], threading.Lock()

        def profile(asked):
            with lock:
                if not refused:
                    refused.append(asked.headers["Authorization"])
            if asked.headers["Authorization"] == refused[0]:
                return error(401, "tokenNotProvided", "No")
            return told

        self.miro.answers[PROFILE] = profile
        self.make_due()
        self.run_.worker_once()
        self.assertEqual(sorted(self.rows("SELECT state FROM miro_token")),
                         [["refused"], ["valid"]])
        self.assertEqual(self.state(), "linked")

    def test_tokens_that_do_not_open_starve_nobody(self):
        self.miro.profile_says(AWAY)
        self.install()
        self.miro.profile(USER, ADDRESS)
        self.make_due()
        self.crowd("REPEAT('x', 64)", "NULL")
        self.run_.worker_once()
        self.assertEqual(self.state(), "linked")

    def test_tokens_that_ran_out_are_looked_at_once(self):
        """Their users are out of the queue until they install again."""
        self.crowd("'x'", 2)
        self.run_.worker_once()
        self.assertEqual(self.rows("SELECT COUNT(*) FROM miro_user"
                                   " WHERE profile_due_at IS NOT NULL"), [["0"]])
        self.miro.profile_says(AWAY)
        self.install(user="1001", team="7")
        self.assertEqual(self.rows("SELECT user_id FROM miro_user"
                                   " WHERE profile_due_at IS NOT NULL"), [["1001"]])
        self.miro.profile("1001", ADDRESS)
        self.make_due()
        self.run_.worker_once()
        self.assertEqual(self.state("1001"), "linked")

    def test_a_profile_that_is_not_for_us_leaves_the_token_valid(self):
        """403 says that the profile may not be read, as without its scope; only 401 refuses."""
        self.miro.profile_says(error(403, "insufficientPermissions", "No"))
        self.install()
        self.assertEqual(self.state(), "no_email")
        self.make_due()
        self.run_.worker_once()
        self.assertGreaterEqual(len(self.miro.asked(PROFILE)), 1)
        self.assertEqual(self.rows("SELECT state FROM miro_token"), [["valid"]])
        self.assertEqual(self.state(), "no_email")


if __name__ == "__main__":
    unittest.main(verbosity=2)
