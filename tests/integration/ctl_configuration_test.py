"""A configuration that cannot be meant is refused at start: exit 78, and on stderr the file, the line, the key
and what was expected. No program runs on half of one."""

import base64
import os
import re
import subprocess
import unittest

from mariadb import PASSWORD
from programs import program_path
from scratch import Scratch

KEY = base64.b64encode(bytes(range(32))).decode()
GOOD = """[server]
listen = 127.0.0.1:8080
state_dir = {folder}
[database]
socket = {folder}/absent.sock
user = purchase_sync
password_file = db.password
name = purchase_sync
[keys]
keyring_file = keyring
[miro]
client_id = 3074457363680401096
client_secret_file = miro.secret
[source main-store]
provider = woocommerce
webhook_secret_file = main-store.secret
[source other-store]
provider = standard
webhook_secret_file = other-store.secret
"""
FILES = {"db.password": PASSWORD, "keyring": f"1:{KEY}", "miro.secret": "app-secret-of-the-tests-0123456789",
         "main-store.secret": "one secret", "other-store.secret": "another secret"}
PROGRAMS = {"purchasectl": ["migrate"], "purchase-webhook": [], "purchase-worker": ["run", "--once"]}

# What is wrong, the text to replace, what replaces it, and what the complaint must say (line, key, expected).
TEXTS = [
    ("an unknown key", "name = purchase_sync", "nmae = purchase_sync", r":8: \[database\] nmae: .*expected"),
    ("an unknown section", "[keys]", "[kyes]", r":9: \[kyes\].*expected"),
    ("a key given twice", "user = purchase_sync", "user = a\nuser = b", r":7: \[database\] user: .*twice.*expected"),
    ("a section given twice", "[source other-store]", "[source main-store]", r":17: \[source main-store\].*expected"),
    ("a bad address to listen at", "127.0.0.1:8080", "127.0.0.1", r":2: \[server\] listen: .*expected"),
    ("a port that is none", "127.0.0.1:8080", "127.0.0.1:99999", r":2: \[server\] listen: .*expected"),
    ("a provider that is none", "provider = standard", "provider = ebay", r":18: \[source other-store\] provider: .*expected .*woocommerce"),
    ("a leeway that is no number", "[miro]", "[miro]\nid_token_leeway = soon", r":12: \[miro\] id_token_leeway: .*expected"),
    ("a leeway beyond the limit", "[miro]", "[miro]\nid_token_leeway = 181", r":12: \[miro\] id_token_leeway: .*expected.*180"),
    ("a flag that is none", "provider = standard", "provider = standard\nlive = perhaps", r":19: \[source other-store\] live: .*expected"),
    ("an encoding that is none", "provider = standard", "provider = standard\nsecret_encoding = hex", r":19: \[source other-store\] secret_encoding: .*expected"),
    ("a public address that is none", "[database]", "public_url = nowhere\n[database]", r":4: \[server\] public_url: .*expected"),
    ("a line that is nothing", "[database]", "[database]\nnonsense", r":5: .*expected"),
    ("no [database]", GOOD[GOOD.index("[database]"):GOOD.index("[keys]")], "", r"\[database\].*expected"),
    ("no [keys]", "[keys]\nkeyring_file = keyring\n", "", r"\[keys\].*expected"),
    ("no [miro]", GOOD[GOOD.index("[miro]"):GOOD.index("[source main-store]")], "", r"\[miro\].*expected"),
    ("both socket and host", "socket = ", "host = db.example.com\nsocket = ", r"\[database\] (socket|host): .*expected"),
    ("a source without a secret", "webhook_secret_file = other-store.secret\n", "", r"\[source other-store\] webhook_secret_file: .*expected"),
    ("a secret file that is missing", "miro.secret", "nowhere.secret", r":13: \[miro\] client_secret_file: .*nowhere.secret.*expected"),
]

# What is wrong, the file, its text, its mode, and what the complaint must say.
SECRETS = [
    ("an empty secret", "main-store.secret", "\n", 0o600, r":16: \[source main-store\] webhook_secret_file: .*expected"),
    ("a secret that others can read", "main-store.secret", "one secret", 0o604, r":16: \[source main-store\] webhook_secret_file: .*expected"),
    ("a keyring that others can write", "keyring", FILES["keyring"], 0o602, r":10: \[keys\] keyring_file: .*expected"),
    ("a password that others can read", "db.password", PASSWORD, 0o644, r":7: \[database\] password_file: .*expected"),
    ("an app's secret that others can read", "miro.secret", FILES["miro.secret"], 0o644, r":13: \[miro\] client_secret_file: .*expected"),
    ("one secret shared by two sources", "other-store.secret", "one secret", 0o600, r":19: \[source other-store\] webhook_secret_file: .*main-store.*expected"),
    ("two sources that share a rotated secret", "other-store.secret", "new\none secret", 0o600, r":19: \[source other-store\] webhook_secret_file: .*expected"),
    ("a keyring without a key", "keyring", "nothing here", 0o600, r"keyring.*"),
    ("a key that is too short", "keyring", "1:" + base64.b64encode(b"short").decode(), 0o600, r"keyring.*32"),
]


class Configuration(unittest.TestCase):
    """Every refusal that the documentation promises."""

    def setUp(self):
        self.scratch = Scratch("conf")
        self.addCleanup(self.scratch.close)
        self.config = os.path.join(self.scratch.path, "purchase-sync.conf")
        self.write("purchase-sync.conf", GOOD.format(folder=self.scratch.path), 0o644)
        for name, text in FILES.items():
            self.write(name, text + "\n")

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.scratch.path, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def run_program(self, name, *arguments):
        environment = {key: value for key, value in os.environ.items()
                       if key == "PATH" or key.endswith("SAN_OPTIONS")}
        return subprocess.run([program_path(name), "--config", self.config, *arguments],
                              capture_output=True, text=True, timeout=60, env=environment, check=False)

    def refused(self, pattern, programs=("purchasectl",)):
        for name in programs:
            done = self.run_program(name, *PROGRAMS[name])
            self.assertEqual(done.returncode, 78, (name, done.stdout, done.stderr))
            self.assertIn(self.scratch.path, done.stderr)
            self.assertRegex(done.stderr, re.compile(pattern))

    def test_the_good_one_is_taken(self):
        done = self.run_program("purchasectl", "migrate")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("database", done.stderr)

    def test_bad_texts(self):
        for what, old, new, pattern in TEXTS:
            with self.subTest(what):
                self.assertIn(old, GOOD)
                text = GOOD.replace(old, new, 1)
                self.write("purchase-sync.conf", text.format(folder=self.scratch.path), 0o644)
                self.refused(pattern)

    def test_bad_secrets(self):
        for what, name, text, mode, pattern in SECRETS:
            with self.subTest(what):
                self.write(name, text + "\n", mode)
                self.refused(pattern)
                self.write(name, FILES[name] + "\n")

    def test_every_program_refuses(self):
        self.write("purchase-sync.conf", GOOD.replace("[keys]", "[kyes]").format(folder="/x"), 0o644)
        self.refused(r":9: \[kyes\]", PROGRAMS)
        self.write("purchase-sync.conf", GOOD.format(folder=self.scratch.path), 0o644)
        self.write("keyring", "1:c2hvcnQ=\n")
        self.refused("keyring", PROGRAMS)

    def test_every_fault_is_told_at_once(self):
        text = GOOD.replace("user =", "usr =").replace("provider = standard", "provider = ebay")
        self.write("purchase-sync.conf", text.format(folder=self.scratch.path), 0o644)
        done = self.run_program("purchasectl", "migrate")
        self.assertRegex(done.stderr, r":6: \[database\] usr")
        self.assertRegex(done.stderr, r":18: \[source other-store\] provider")

    def test_a_configuration_that_is_not_there(self):
        os.unlink(self.config)
        self.refused("purchase-sync.conf", PROGRAMS)

    def test_secrets_come_from_the_credentials_directory(self):
        """With $CREDENTIALS_DIRECTORY a relative name is looked up there, and nowhere else."""
        folder = os.path.join(self.scratch.path, "credentials")
        os.mkdir(folder, 0o700)
        for name in FILES:
            os.rename(os.path.join(self.scratch.path, name), os.path.join(folder, name))
        self.refused("expected")
        done = subprocess.run([program_path("purchasectl"), "--config", self.config, "migrate"],
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "CREDENTIALS_DIRECTORY": folder})
        self.assertEqual(done.returncode, 1, done.stderr)

    def test_doctor_tells_each_fault_as_a_finding(self):
        self.write("purchase-sync.conf", GOOD.replace("[keys]", "[kyes]").format(folder="/x"), 0o644)
        done = self.run_program("purchasectl", "doctor", "--json")
        self.assertEqual(done.returncode, 78)
        self.assertIn('"finding":"error","about":"configuration"', done.stdout)
        self.assertRegex(done.stderr, r":9: \[kyes\]")

    def test_no_secret_is_ever_repeated(self):
        self.write("other-store.secret", "one secret\n")
        done = self.run_program("purchasectl", "migrate")
        self.assertNotIn("one secret", done.stdout + done.stderr)


class Usage(unittest.TestCase):
    """Wrong calls end with 2 before anything is read, let alone written."""

    def call(self, *arguments):
        return subprocess.run([program_path("purchasectl"), "--config", "/nowhere", *arguments],
                              capture_output=True, text=True, timeout=60, check=False)

    def test_wrong_calls(self):
        for arguments in ([], ["fly"], ["catalog"], ["catalog", "fly"], ["user", "show"],
                          ["order", "show", "main-store"], ["explain", "1"], ["migrate", "now"],
                          ["migrate", "--dry-run"], ["doctor", "--why", "x"], ["--fly"],
                          ["catalog", "apply"], ["rebuild", "--check=yes"], ["grant", "1"]):
            with self.subTest(arguments):
                done = self.call(*arguments)
                self.assertEqual(done.returncode, 2, (done.stdout, done.stderr))
                self.assertTrue(done.stderr.startswith("purchasectl: "), done.stderr)

    def test_help_and_version(self):
        done = self.call("--help")
        self.assertEqual(done.returncode, 0)
        for verb in ("migrate", "doctor", "catalog apply", "explain", "rebuild", "trigger"):
            self.assertIn(verb, done.stdout)
        self.assertEqual(self.call("--version").returncode, 0)


if __name__ == "__main__":
    unittest.main()
