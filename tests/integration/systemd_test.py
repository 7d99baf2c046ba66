"""systemd's units and the crontab, as `cmake --install` lays them down, and their commands as they stand there.

The configuration lies elsewhere than in /etc, so --config is added to each command; nothing else is.
"""

import glob
import os
import shlex
import shutil
import subprocess
import unittest
import urllib.parse

from fake_shop import FakeShop
from mariadb import MariaDB
from processes import Program, check_ended
from programs import SOURCE, Deployment, wait_for
from scratch import Ports, Scratch

USER = "3458764514838398337"
ORDER = {"id": 12, "status": "processing", "currency": "EUR", "total": "10.00", "order_key": "wc_order_12",
         "date_created_gmt": "2026-11-20T10:00:00", "date_modified_gmt": "2026-11-20T10:00:01",
         "date_paid_gmt": "2026-11-20T10:00:00", "billing": {"email": "zoe@example.test"},
         "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "quantity": 1, "sku": "ICONS"}],
         "refunds": [], "meta_data": []}
CATALOGUE = {"entitlements": {"icons-pro": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]}]}
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
SECRETS = ("db.password", "keyring", "miro.secret", "main-store.secret", "main-store.key")
DEFAULT_LISTEN = "127.0.0.1:8080"
EXPOSURE_MOST = 15  # tenths, of 100: systemd calls up to 40 good
ONE_SHOT_DEADLINE = 120


def built():
    """The build folder, of which PURCHASE_SYNC_BIN is the bin/."""
    return os.path.dirname(os.path.abspath(os.environ["PURCHASE_SYNC_BIN"]))


def install(test_case):
    """A prefix with everything in it, for a class of tests."""
    scratch = Scratch("install")
    test_case.addClassCleanup(scratch.close)
    prefix = os.path.join(scratch.path, "usr")
    done = subprocess.run(["cmake", "--install", built(), "--prefix", prefix], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return scratch.path, prefix


def limit_of(name):
    """One of lib/base/limits.h."""
    with open(os.path.join(ROOT, "lib/base/limits.h"), encoding="ascii") as file:
        (value,) = [line.split()[2] for line in file if line.startswith(f"#define {name} ")]
    return int(value)


def values(path, key):
    """What a unit says, in its order; an empty value takes back those before it."""
    said = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, equals, value = line.strip().partition("=")
            if equals and name == key:
                said = said + [value] if value else []
    return said


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch, cls.prefix = install(cls)
        cls.folder = os.path.join(cls.prefix, "lib/systemd/system")
        cls.services = sorted(glob.glob(f"{cls.folder}/*.service"))
        cls.all = cls.services + [f"{cls.folder}/purchase-resync.timer", f"{cls.folder}/purchase-webhook.socket"]

    def unit(self, name):
        return os.path.join(self.folder, name)

    def verify(self, *paths):
        """What systemd has to say; it only warns of a key that it does not know."""
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def test_what_is_installed(self):
        self.assertEqual([os.path.basename(path) for path in self.all],
                         ["purchase-resync.service", "purchase-webhook@.service", "purchase-worker@.service",
                          "purchase-resync.timer", "purchase-webhook.socket"])
        self.assertEqual(sorted(os.listdir(self.folder)), sorted(os.path.basename(path) for path in self.all))
        self.assertEqual(sorted(os.listdir(f"{self.prefix}/bin")),
                         ["purchase-webhook", "purchase-worker", "purchasectl"])

    def test_systemd_takes_them(self):
        self.assertEqual(self.verify(*self.all), (0, ""))

    def test_systemd_would_say_what_is_wrong(self):
        for wrong in (("/bin/purchase-worker", "/bin/purchase-missing"), ("ProtectHome", "ProtectHut")):
            with open(self.unit("purchase-worker@.service"), encoding="utf-8") as file:
                text = file.read()
            path = os.path.join(self.scratch, "purchase-wrong@.service")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(*wrong))
            self.assertNotEqual(self.verify(path), (0, ""), wrong)

    def test_a_drop_in_for_all_of_them(self):
        """What docs/operations.md says of a second shop's secrets."""
        folder = os.path.join(self.scratch, "units")
        shutil.copytree(self.folder, folder)
        os.mkdir(os.path.join(folder, "purchase-.service.d"))
        with open(os.path.join(folder, "purchase-.service.d", "secrets.conf"), "w", encoding="ascii") as file:
            file.write("[Service]\nUnheardOf=1\n")
        for service in self.services:
            self.assertIn("UnheardOf", self.verify(os.path.join(folder, os.path.basename(service)))[1])

    def test_every_secret_is_handed_over(self):
        for service in self.services:
            loaded = dict(value.split(":", 1) for value in values(service, "LoadCredential"))
            self.assertEqual(loaded, {name: f"/etc/purchase-sync/{name}" for name in SECRETS}, service)

    def test_they_may_do_little(self):
        for service in self.services:
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MOST}",
                                   service], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-400:] + done.stderr)
            self.assertEqual(values(service, "LimitCORE"), ["0"])
            self.assertEqual(values(service, "StateDirectory"), ["purchase-sync"])

    def test_each_line_that_takes_something_away_says_why(self):
        for service in self.services:
            with open(service, encoding="utf-8") as file:
                lines = file.read().partition("[Service]")[2].partition("\n[")[0].splitlines()
            first = lines.index("DynamicUser=yes")
            for above, line in zip(lines[first - 1:], lines[first:]):
                self.assertTrue(line.startswith("#") or not line or above, f"{service}: {line}")

    def test_they_tell_how_they_are_and_are_given_time_to_end(self):
        for name, watched, limit in (("purchase-webhook@", True, "LIMIT_DRAIN_MS"),
                                     ("purchase-worker@", True, "LIMIT_WORKER_STOP_MS"),
                                     ("purchase-resync", False, "LIMIT_WORKER_STOP_MS")):
            service = self.unit(f"{name}.service")
            self.assertEqual(values(service, "Type"), ["notify" if watched else "oneshot"])
            self.assertEqual(len(values(service, "WatchdogSec")), int(watched))
            if watched:  # a statement that hangs is given up within half of it
                self.assertGreaterEqual(int(values(service, "WatchdogSec")[0]), 60)
            self.assertGreater(int(values(service, "TimeoutStopSec")[0]) * 1000, limit_of(limit), service)

    def test_the_socket_is_the_fronts(self):
        unit = self.unit("purchase-webhook.socket")
        self.assertEqual(values(unit, "ListenStream"), [DEFAULT_LISTEN])
        self.assertEqual(values(unit, "FileDescriptorName"), ["public"])
        self.assertRegex(values(unit, "Service")[0], r"^purchase-webhook@[0-9]+\.service$")
        self.assertEqual(values(unit, "Accept"), [])
        self.assertEqual(values(self.unit("purchase-webhook@.service"), "Sockets"), ["purchase-webhook.socket"])

    def test_the_timer(self):
        timer = self.unit("purchase-resync.timer")
        self.assertEqual(values(timer, "Persistent"), ["true"])
        self.assertEqual(len(values(timer, "RandomizedDelaySec")), 1)
        self.assertEqual(values(timer, "Unit"), [], "it starts the service of its own name")
        done = subprocess.run(["systemd-analyze", "calendar", *values(timer, "OnCalendar")], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


class Commands(unittest.TestCase):
    """Each command of the units and of the crontab, against a shop that lost its webhook."""

    @classmethod
    def setUpClass(cls):
        cls.scratch, cls.prefix = install(cls)
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.shop = self.enterContext(FakeShop())
        self.shop.answers["/wp-json/wc/v3/orders"] = self.listing
        self.shop.order(ORDER)
        self.shop.refunds(12, [])
        self.site = self.enterContext(Deployment(
            self.server, {f"source {SOURCE}": {"api_url": self.shop.url, "api_key_file": f"{SOURCE}.key"}},
            {f"{SOURCE}.key": "ck_test:cs_test\n"}))
        self.shop.answers["/wp-json/wc/v3/webhooks"] = [
            {"id": 1, "status": "active", "topic": "order.updated",
             "delivery_url": f"{self.site.settings['server']['public_url']}/webhooks/{SOURCE}"}]
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)
        self.site.ctl("link", USER, "-", "--why", "a test", stdin="zoe@example.test\n")

    @staticmethod
    def listing(asked):
        """The shop's list of orders, which holds one, and its trash, which is empty."""
        query = dict(urllib.parse.parse_qsl(asked.query))
        there = query.get("status") != "trash" and int(query.get("offset", 0)) == 0 and \
            query.get("page", "1") == "1" and query.get("modified_after", "") < ORDER["date_modified_gmt"]
        return [ORDER] if there else []

    def unit(self, name):
        return os.path.join(self.prefix, "lib/systemd/system", name)

    def credentials(self, name):
        """The folder that systemd would make for the unit, the configuration being alone in another."""
        folder = self.site.path("credentials")
        alone = self.site.path("etc")
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            os.mkdir(alone)
            shutil.copy(self.site.config, alone)
            for value in values(self.unit(name), "LoadCredential"):
                secret, path = value.split(":", 1)
                target = os.path.join(folder, secret)
                shutil.copy(self.site.path(os.path.basename(path)), target)
                os.chmod(target, 0o400)
        return folder, os.path.join(alone, "purchase-sync.conf")

    def command(self, name, instance=""):
        """ExecStart's words, and the environment."""
        folder, config = self.credentials(name)
        (start,) = values(self.unit(name), "ExecStart")
        words = shlex.split(start.replace("%i", instance))
        self.assertTrue(words[0].startswith(self.prefix), words)
        return words + ["--config", config], {**self.site.environment(), "CREDENTIALS_DIRECTORY": folder}

    def start(self, name, instance):
        words, environment = self.command(name, instance)
        program = Program(f"{os.path.basename(words[0])}-{instance}", words, self.site.folder, environment)
        self.site.programs.append(program)
        return program

    def check_unlocked(self):
        given = self.site.sql("SELECT order_id, entitlement_key, state FROM contribution")
        self.assertEqual(given, "12\ticons-pro\tactive\n")

    def test_the_timers_command(self):
        words, environment = self.command("purchase-resync.service")
        done = subprocess.run(words, capture_output=True, text=True, cwd="/", env=environment, check=False,
                              timeout=ONE_SHOT_DEADLINE)
        check_ended("the timer's command", done.returncode, done.stdout + done.stderr)
        self.check_unlocked()

    def test_the_crontabs_line(self):
        with open(os.path.join(self.prefix, "share/purchase-sync/crontab"), encoding="ascii") as file:
            (line,) = file.read().splitlines()
        fields = line.split(None, 5)
        self.assertRegex(" ".join(fields[:5]), r"^[0-5]?[0-9] \* \* \* \*$")
        environment = {name: value for name, value in self.site.environment().items() if name != "PATH"}
        done = subprocess.run(["/bin/sh", "-c", f"{fields[5]} --config {shlex.quote(self.site.config)}"],
                              capture_output=True, text=True, cwd="/", check=False, timeout=ONE_SHOT_DEADLINE,
                              env={**environment, "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "HOME": "/"})
        check_ended("the crontab's line", done.returncode, done.stdout + done.stderr)
        self.check_unlocked()

    def test_two_fronts_on_one_port_and_a_worker(self):
        ports = Ports()
        self.addCleanup(ports.close)
        instances = [ports.take(), ports.take()]
        fronts = [self.start("purchase-webhook@.service", str(port)) for port in instances]
        worker = self.start("purchase-worker@.service", "1")
        for front, port in zip(fronts, instances):
            wait_for(lambda front=front, port=port: self.ready(front, port), 30, "/readyz")
        for number in range(40):
            self.site.deliver_woocommerce({**ORDER, "id": 100 + number})
        counted = [self.stored(port) for port in instances]
        self.assertEqual(sum(counted), 40)
        self.assertTrue(all(counted), "the kernel shares the connections out")
        wait_for(lambda: self.site.sql("SELECT COUNT(*) FROM contribution") == "40\n", 30, "the worker")
        reload_command = values(self.unit("purchase-webhook@.service"), "ExecReload")
        self.assertEqual(reload_command, ["/bin/kill -HUP $MAINPID"])
        for program in (*fronts, worker):
            subprocess.run(shlex.split(reload_command[0].replace("$MAINPID", str(program.process.pid))), check=True)
            wait_for(lambda program=program: "reloaded" in program.log_text(), 30, "the reload")
        self.site.stop_program(fronts[0])
        self.site.deliver_woocommerce({**ORDER, "id": 200})

    def test_a_socket_that_systemd_hands_over(self):
        """By systemd's own hand, under the socket unit's name; the front begins with the first client."""
        ports = Ports()
        self.addCleanup(ports.close)
        internal = ports.take()
        words, environment = self.command("purchase-webhook@.service", str(internal))
        (name,) = values(self.unit("purchase-webhook.socket"), "FileDescriptorName")
        passed = [f"--setenv={key}={value}" for key, value in environment.items()]
        front = Program("handed", ["systemd-socket-activate", f"--listen=127.0.0.1:{self.site.port}",
                                   f"--fdname={name}", *passed, *words], self.site.folder, environment)
        self.site.programs.append(front)
        wait_for(lambda: "Listening on" in front.log_text(), 30, "the listener")
        self.site.deliver_woocommerce(ORDER)
        wait_for(lambda: self.ready(front, internal), 30, "/readyz")
        self.assertEqual(self.stored(internal), 1)

    def test_a_front_without_an_instance_does_not_share(self):
        ports = Ports()
        self.addCleanup(ports.close)
        self.site.start_webhook()
        words, environment = self.command("purchase-webhook@.service", str(ports.take()))
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False,
                              timeout=ONE_SHOT_DEADLINE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("in use", done.stderr)

    def ready(self, front, port):
        front.must_live()
        try:
            return self.site.request("GET", "/readyz", port=port)[0] == 200
        except OSError:
            return False

    def stored(self, port):
        """How many deliveries an instance counts."""
        text = self.site.request("GET", "/metrics", port=port)[2].decode()
        return sum(int(float(line.rpartition(" ")[2])) for line in text.splitlines()
                   if line.startswith("purchase_deliveries_total{") and 'outcome="stored"' in line)


if __name__ == "__main__":
    unittest.main()
