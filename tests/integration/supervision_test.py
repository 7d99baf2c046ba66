"""What the programs tell the service manager, and what they do when it tells them to end."""

import signal
import threading
import unittest

from fake_shop import FakeShop
from manager import Listener, Manager
from mariadb import MariaDB
from processes import Program
from programs import SOURCE, Deployment, program_path, wait_for

WATCHDOG = 1.0   # seconds; a sign of life is due four times in them
DEADLINE = 60
ORDER = {"id": 12, "status": "processing", "currency": "EUR", "total": "10.00", "order_key": "wc_order_12",
         "date_created_gmt": "2026-11-20T10:00:00", "date_modified_gmt": "2026-11-20T10:00:01",
         "date_paid_gmt": "2026-11-20T10:00:00", "billing": {"email": "zoe@example.test"},
         "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "quantity": 1, "sku": "ICONS"}],
         "refunds": [{"id": 13, "total": "-1.00"}], "meta_data": []}


def setUpModule():
    global server
    server = MariaDB()
    unittest.addModuleCleanup(server.close)


class Supervised(unittest.TestCase):
    """Each test has the server, which it may stop if it starts it again, and a manager."""

    def setUp(self):
        self.server = server
        self.shop = self.enterContext(FakeShop())
        self.site = self.enterContext(Deployment(
            self.server, {f"source {SOURCE}": {"api_url": self.shop.url, "api_key_file": f"{SOURCE}.key"}},
            {f"{SOURCE}.key": "ck_test:cs_test\n"}))
        self.site.migrate()
        self.manager = Manager(self.site.folder)
        self.addCleanup(self.manager.close)

    def start(self, program, *arguments, watchdog=WATCHDOG):
        started = Program(program, [program_path(program), "--config", self.site.config, *arguments],
                          self.site.folder, {**self.site.environment(), **self.manager.environment(watchdog)})
        self.site.programs.append(started)
        return started

    def gone(self, program, code):
        """It ended by itself, with this code."""
        self.assertEqual(program.process.wait(DEADLINE), code, program.log_text()[-2000:])
        self.site.programs.remove(program)

    def falls_silent(self):
        wait_for(lambda: self.manager.silence() > WATCHDOG, DEADLINE, "the manager's patience to end")

    def gives_signs_of_life(self):
        before = self.manager.said("WATCHDOG=1")
        wait_for(lambda: self.manager.said("WATCHDOG=1") > before + 4, DEADLINE, "signs of life")


class Front(Supervised):
    def test_from_start_to_end(self):
        front = self.start("purchase-webhook")
        self.manager.wait_for("READY=1")
        self.assertEqual(self.site.internal("/healthz")[0], 200, "it listens before it says so")
        self.manager.wait_for_status("serving 0 connections")
        self.gives_signs_of_life()
        front.signal(signal.SIGHUP)
        wait_for(lambda: self.manager.said("READY=1") == 2, DEADLINE, "the reload's end")
        self.assertEqual(self.manager.said("RELOADING=1"), 1)
        self.site.write("purchase-sync.conf", "[nonsense]\n", 0o644)
        front.signal(signal.SIGHUP)
        wait_for(lambda: self.manager.said("READY=1") == 3, DEADLINE, "the second reload's end")
        self.manager.wait_for_status("the last reload was refused")
        front.signal(signal.SIGTERM)
        self.manager.wait_for("STOPPING=1")
        self.gone(front, 0)
        self.site.configure({})

    def test_without_a_database_it_lives_and_says_so(self):
        self.server.kill()
        front = self.start("purchase-webhook")
        self.manager.wait_for("READY=1")
        self.manager.wait_for_status("not ready")
        self.gives_signs_of_life()
        self.server.start()
        self.manager.wait_for_status("serving")
        self.server.kill()
        self.manager.wait_for_status("not ready")
        self.gives_signs_of_life()
        self.site.stop_program(front)
        self.server.start()

    def test_what_it_handed_to_the_database_must_come_back(self):
        self.start("purchase-webhook")
        self.manager.wait_for_status("serving")
        self.server.freeze()
        try:
            self.falls_silent()
        finally:
            self.server.thaw()
        self.gives_signs_of_life()

    def test_a_manager_that_wants_no_signs_of_life_gets_none(self):
        self.start("purchase-webhook", watchdog=None)
        self.manager.wait_for_status("serving")
        self.assertEqual(self.manager.said("WATCHDOG=1"), 0)

    def test_another_socket_than_expected_is_refused(self):
        for name in ("internal", "public:public", ""):
            listener = Listener(self.site.port, name)
            front = Program("purchase-webhook", listener.handing([program_path("purchase-webhook"), "--config",
                                                                  self.site.config]),
                            self.site.folder, self.site.environment(), listener.fds())
            self.assertEqual(front.process.wait(DEADLINE), 1)
            self.assertIn("FileDescriptorName=public", front.log_text())
            listener.close()


class Worker(Supervised):
    def test_from_start_to_end(self):
        worker = self.start("purchase-worker", "run")
        self.manager.wait_for("READY=1")
        self.manager.wait_for_status("drains the inbox")
        self.gives_signs_of_life()
        worker.signal(signal.SIGHUP)
        wait_for(lambda: self.manager.said("READY=1") == 2, DEADLINE, "the reload's end")
        self.assertEqual(self.manager.said("RELOADING=1"), 1)
        worker.signal(signal.SIGTERM)
        self.manager.wait_for("STOPPING=1")
        self.gone(worker, 0)

    def test_a_database_that_hangs_lets_it_fall_silent(self):
        self.start("purchase-worker", "run")
        self.gives_signs_of_life()
        self.server.freeze()
        try:
            self.falls_silent()
        finally:
            self.server.thaw()
        self.gives_signs_of_life()

    def test_a_database_that_is_away_is_waited_for_in_silence(self):
        self.server.kill()
        self.start("purchase-worker", "run")
        self.manager.wait_for("READY=1")
        self.manager.wait_for_status("waits for the database")
        self.falls_silent()
        self.server.start()
        self.manager.wait_for_status("drains the inbox")
        self.gives_signs_of_life()

    def test_a_second_signal_ends_it_even_in_a_statement_that_hangs(self):
        worker = self.start("purchase-worker", "run")
        self.gives_signs_of_life()
        self.server.freeze()
        try:
            self.falls_silent()
            worker.signal(signal.SIGTERM)
            wait_for(lambda: not self.pending(worker), DEADLINE, "the first signal's arrival")
            worker.signal(signal.SIGTERM)
            self.assertEqual(worker.process.wait(5), 1)
        finally:
            self.server.thaw()
        self.assertIn("stopped_at_once", worker.log_text())
        self.site.programs.remove(worker)

    @staticmethod
    def pending(program):
        """Whether a signal waits for the program to take it."""
        with open(f"/proc/{program.process.pid}/status", encoding="ascii", errors="replace") as file:
            return any(int(line.split()[1], 16) for line in file if line.startswith(("SigPnd", "ShdPnd")))

    def test_what_waits_for_a_shop_is_finished_and_no_lease_stays(self):
        asked, answered = threading.Event(), threading.Event()
        self.addCleanup(answered.set)

        def slow(_):
            asked.set()
            answered.wait(DEADLINE)
            return [{"id": 13, "line_items": [], "amount": "1.00", "date_created_gmt": "2026-11-20T10:00:01"}]

        self.shop.order(ORDER)
        self.shop.answers["/wp-json/wc/v3/orders/12/refunds"] = slow
        self.site.start_webhook()
        self.site.deliver_woocommerce(ORDER)
        worker = self.start("purchase-worker", "run")
        self.assertTrue(asked.wait(DEADLINE))
        self.assertEqual(self.states(), "leased\n")
        worker.signal(signal.SIGTERM)
        self.manager.wait_for("STOPPING=1")
        answered.set()
        self.gone(worker, 0)
        self.assertEqual(self.states(), "done\n")

    def states(self):
        return self.site.sql("SELECT state FROM delivery")


class Resync(Supervised):
    def test_its_claim_is_given_back_while_a_shop_does_not_answer(self):
        asked, answered = threading.Event(), threading.Event()
        self.addCleanup(answered.set)

        def slow(_):
            asked.set()
            answered.wait(DEADLINE)
            return []

        self.shop.answers["/wp-json/wc/v3/orders"] = slow
        self.shop.answers["/wp-json/wc/v3/webhooks"] = []
        resync = self.start("purchase-worker", "resync")
        self.assertTrue(asked.wait(DEADLINE))
        self.assertEqual(self.held(), "1\n")
        resync.signal(signal.SIGTERM)
        self.gone(resync, 0)
        self.assertFalse(answered.is_set(), "it did not wait for the shop")
        self.assertEqual(self.held(), "0\n")

    def held(self):
        return self.site.sql("SELECT COUNT(*) FROM resync_source WHERE lease_owner IS NOT NULL")


if __name__ == "__main__":
    unittest.main()
