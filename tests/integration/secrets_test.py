"""Secrets rotate by listing two; one that was taken out is refused on every front as soon as it has reloaded, whoever
was let in with it before. And no program leaves its memory behind.
"""

import json
import os
import resource
import secrets
import signal
import subprocess
import threading
import time
import unittest

from hosts import Host, bring
from mariadb import MariaDB, give_away, unprivileged
from programs import SOURCE, Deployment, program_path
from signing import mint_id_token, sign_woocommerce
from waiting import wait_for

USER, TEAM = "3458764514838398337", "3458764514838398336"
PATIENCE = 60
# A front has a second from SIGHUP; a busy test machine may be given more.
PROMPT = float(os.environ.get("PURCHASE_SYNC_RELOAD_SECONDS", "20"))
CRASHES = (signal.SIGABRT, signal.SIGSEGV)


class Secrets(unittest.TestCase):
    """Two fronts, on two hosts."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.site = self.enterContext(Deployment(self.server))
        self.site.migrate()
        self.hosts = [self.site, self.enterContext(Host(self.site))]
        self.fronts = [(host, host.start_webhook()) for host in self.hosts]

    def install(self, name, text):
        """The file on every host, and a reload; returns how long the slowest front took."""
        self.site.write(name, text)
        bring(self.site, self.hosts[1:], name)
        before = [front.log_text().count("webhook reloaded") for _, front in self.fronts]
        begun = time.monotonic()
        for host, front in self.fronts:
            host.reload(front)
        for (_, front), count in zip(self.fronts, before):
            wait_for(lambda front=front, count=count: front.log_text().count("webhook reloaded") > count, PROMPT,
                     "the reload", every=0.005)
        return time.monotonic() - begun

    def asks(self, host, token, path="/v1/entitlements", etag=None):
        headers = {"Authorization": f"Bearer {token}", **({"If-None-Match": etag} if etag else {})}
        status, answered, value = host.request_json("GET", path, headers=headers)
        return status, answered.get("ETag"), (value or {}).get("code")

    def test_a_miro_secret_that_was_taken_out(self):
        old, new = self.site.miro_secret, secrets.token_urlsafe(24)
        tokens = {secret: mint_id_token(USER, TEAM, secret) for secret in (old, new)}
        for host in self.hosts:
            for _ in range(2):  # the second time it is remembered
                self.assertEqual(self.asks(host, tokens[old])[0], 200)
            self.assertEqual(self.asks(host, tokens[new])[::2], (401, "token_invalid"))
        self.install("miro.secret", f"{new}\n{old}\n")
        etags = {}
        for host in self.hosts:
            for token in tokens.values():
                for _ in range(2):
                    status, etags[host], _ = self.asks(host, token)
                    self.assertEqual(status, 200)

        answers = {}

        def wait(host):
            answers[host] = self.asks(host, tokens[old], "/v1/entitlements?wait=30", etags[host])

        waiting = [threading.Thread(target=wait, args=(host,)) for host in self.hosts]
        for thread in waiting:
            thread.start()
        for host in self.hosts:
            wait_for(lambda host=host: host.metric("purchase_waits") == 1, PATIENCE, "the wait")
        took = self.install("miro.secret", f"{new}\n")
        print(f"both fronts had reloaded {took * 1000:.0f} ms after SIGHUP")
        for host in self.hosts:
            self.assertEqual(self.asks(host, tokens[old])[::2], (401, "token_invalid"))
            self.assertEqual(self.asks(host, tokens[new])[0], 200)
        for thread in waiting:  # long before its 30 s are over
            thread.join(PROMPT)
            self.assertFalse(thread.is_alive())
        self.assertEqual([answers[host][0] for host in self.hosts], [304, 304])

    def test_a_shop_secret_that_was_taken_out(self):
        old, new = self.site.secret(SOURCE), secrets.token_urlsafe(24)

        def statuses(secret):
            body = json.dumps({"id": secrets.randbelow(10**6)}).encode()
            return [host.deliver(SOURCE, body, sign_woocommerce(body, secret))[0] for host in self.hosts]

        self.assertEqual((statuses(old), statuses(new)), ([200, 200], [401, 401]))
        self.install(f"{SOURCE}.secret", f"{new}\n{old}\n")
        self.assertEqual((statuses(old), statuses(new)), ([200, 200], [200, 200]))
        self.install(f"{SOURCE}.secret", f"{new}\n")
        self.assertEqual((statuses(old), statuses(new)), ([401, 401], [200, 200]))

    def test_an_empty_secret_changes_nothing(self):
        token = mint_id_token(USER, TEAM, self.site.miro_secret)
        unsigned = mint_id_token(USER, TEAM, "")
        host, front = self.fronts[0]
        host.write("miro.secret", "\n")
        host.reload(front)
        wait_for(lambda: "reload_refused" in front.log_text(), PATIENCE, "the refusal")
        self.assertEqual(self.asks(host, token)[0], 200)
        self.assertEqual(self.asks(host, unsigned)[0], 401)


class Cores(unittest.TestCase):
    """A crash leaves no core, whatever the parent allows."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)
        cls.site = Deployment(cls.server)
        cls.addClassCleanup(cls.site.close)
        cls.site.migrate()
        for folder, _, files in os.walk(cls.site.folder):  # an ordinary user's, as which they run
            give_away(folder)
            for name in files:
                give_away(os.path.join(folder, name))

    def begin(self, program, *arguments, **more):
        """Started by a parent that allows cores of any size. A sanitizer leaves the signals alone."""
        environment = self.site.environment()
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":handle_segv=0:handle_abort=0"
        return subprocess.Popen(
            unprivileged([program_path(program), "--config", self.site.config, *arguments]),
            cwd=self.site.folder, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2), **more)

    def limit(self, process):
        """The soft and hard limit on cores, once the program runs and has set them."""
        def read():
            self.assertIsNone(process.poll())
            with open(f"/proc/{process.pid}/comm", encoding="ascii", errors="replace") as file:
                if file.read().strip() == "setpriv":
                    return None
            with open(f"/proc/{process.pid}/limits", encoding="ascii") as file:
                line = next(line for line in file if line.startswith("Max core file size"))
            found = line.split()[4:6]
            return found if found == ["0", "0"] else None
        return wait_for(read, PATIENCE, "a limit of 0 on cores")

    def crash(self, process, number):
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(self.limit(process), ["0", "0"])
        self.assertEqual(os.stat(f"/proc/{process.pid}/maps").st_uid, 0)  # the kernel gives it to root: undumpable
        process.send_signal(number)
        status = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual((status.si_status, status.si_code), (number, os.CLD_KILLED), "it dumped a core")
        self.assertEqual([name for name in os.listdir(self.site.folder) if name.startswith("core")], [])

    def test_no_program_leaves_one(self):
        for number in CRASHES:
            for program, arguments in (("purchase-webhook", ()), ("purchase-worker", ("run",)),
                                       ("purchasectl", ("import", "links", "-"))):
                with self.subTest(program=program, signal=number):
                    process = self.begin(program, *arguments, stdin=subprocess.PIPE)
                    self.crash(process, number)
                    process.stdin.close()


if __name__ == "__main__":
    unittest.main()
