"""Faults that were found once in checks that wait, each by its name."""

import threading
import time
import unittest

from mariadb import MariaDB
from programs import Deployment, wait_for

USER = "3458764514838398337"
TEAM = "3458764514838398336"
BOARDS = 4
WATCHED = 4  # seconds for which the boards' requests are counted
OFTEN = 5  # requests a second of one user's boards together: two are pushed out every 2 s
CROWD = 150  # waits of one user at once
HELD = 34  # of them: the two newest, and those that are pushed out
LEAST = 2  # seconds that a pushed out wait lasts


class Regressions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.run_ = Deployment(cls.server)
        cls.addClassCleanup(cls.run_.close)
        cls.run_.migrate()
        cls.run_.apply_catalogue({"entitlements": {"icons": {"name": "Icons"}}, "products": []})
        cls.run_.start_webhook()

    def waits(self):
        return self.run_.metric("purchase_waits")

    def begin_wait(self, user, etag, answers, name):
        """A check that waits, on a thread of its own; returns once the front holds it."""
        before = self.waits()
        thread = threading.Thread(target=lambda: answers.append(
            (name, self.run_.entitlements(user, TEAM, etag, wait=25))))
        thread.start()
        self.addCleanup(thread.join)
        wait_for(lambda: self.waits() > before, 5, f"the wait of {name}")

    def test_many_open_boards_of_one_user_do_not_spin(self):
        """A wait that a newer one pushes out must not be asked for again at once, for ever."""
        etag = f'"{self.run_.entitlements(USER)["version"]}"'
        ends = time.monotonic() + WATCHED
        asked = []

        def board():
            while time.monotonic() < ends:
                asked.append(time.monotonic())
                self.run_.entitlements(USER, TEAM, etag, wait=3)

        threads = [threading.Thread(target=board) for _ in range(BOARDS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreaterEqual(len(asked), BOARDS)
        self.assertLess(len(asked), BOARDS + WATCHED * OFTEN)

    def test_a_third_wait_ends_the_oldest_and_is_answered(self):
        user = USER[:-1] + "8"
        etag = f'"{self.run_.entitlements(user)["version"]}"'
        answers = []
        begun = time.monotonic()
        for name in ("first", "second", "third"):
            self.begin_wait(user, etag, answers, name)
        wait_for(lambda: answers, LEAST + 3, "the oldest wait's end")
        self.assertEqual(answers, [("first", None)])
        self.assertGreaterEqual(time.monotonic() - begun, LEAST)
        self.run_.ctl("grant", user, "icons", "--why", "news")
        wait_for(lambda: len(answers) == 3, 5, "the news")
        told = {name: [item["key"] for item in value["entitlements"]]
                for name, value in answers[1:]}
        self.assertEqual(told, {"second": ["icons"], "third": ["icons"]})

    def test_a_user_cannot_take_all_room_for_waits(self):
        """Those that are pushed out are held for a while, but only so many: the others are answered at once."""
        user = USER[:-1] + "6"
        etag = f'"{self.run_.entitlements(user)["version"]}"'
        answers = []

        def board(number):
            answers.append((number, self.run_.entitlements(user, TEAM, etag, wait=8)))

        threads = [threading.Thread(target=board, args=(number,)) for number in range(CROWD)]
        for thread in threads:
            thread.start()
            self.addCleanup(thread.join)
        wait_for(lambda: len(answers) + self.waits() >= CROWD, 10, "the crowd")
        self.assertLessEqual(self.waits(), HELD)


if __name__ == "__main__":
    unittest.main(verbosity=2)
