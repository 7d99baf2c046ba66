"""The keyring changes under load: a new key is made, loaded on two hosts, promoted, everything is sealed anew, the
old key goes. No delivery fails meanwhile, no address stops matching, and what would lose something is refused.
"""

import base64
import json
import os
import secrets
import stat
import threading
import unittest

from fake_miro import FakeMiro
from hosts import Host, bring
from mariadb import MariaDB
from programs import SOURCE, Deployment
from waiting import wait_for

USER, TEAM, BUYER = "3458764514838398337", "3458764514838398336", "zoe@example.test"
CATALOGUE = {"entitlements": {"icons-pro": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]}]}
# Each sealed column, and the kid that its envelope names.
KID = "SUBSTRING({0}, 3, ORD(SUBSTRING({0}, 2, 1)))"
COLUMNS = [("sealed_key", "sealed"), ("address", "sealed"), ("miro_token", "access_token"),
           ("miro_token", "refresh_token"), ("delivery", "body")]
PATIENCE = 90


def order(number, address=BUYER):
    return {"id": number, "status": "completed", "date_modified_gmt": "2026-11-20T10:00:00",
            "date_paid_gmt": "2026-11-20T10:00:00", "total": "49.00", "billing": {"email": address},
            "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "sku": "", "quantity": 1, "total": "49.00"}]}


def kids(site):
    """How many values each key has sealed."""
    found = {}
    for table, column in COLUMNS:
        for line in site.sql(f"SELECT {KID.format(column)}, COUNT(*) FROM {table}"
                             f" WHERE {column} IS NOT NULL GROUP BY 1").splitlines():
            kid, count = line.split("\t")
            found[kid] = found.get(kid, 0) + int(count)
    return found


def ring(site):
    return [line.partition(":")[0] for line in site.file_text("keyring").split()]


class Load(threading.Thread):
    """Orders to both hosts, and checks of a buyer whose purchase must never be away."""

    def __init__(self, hosts):
        super().__init__()
        self.hosts, self.ended, self.sent, self.trouble = hosts, threading.Event(), 0, []

    def run(self):
        while not self.ended.is_set() and not self.trouble:
            host = self.hosts[self.sent % len(self.hosts)]
            try:
                host.deliver_woocommerce(order(1000 + self.sent, f"buyer{self.sent % 50}@example.test"))
                if host.keys(USER) != ["icons-pro"]:
                    self.trouble.append(f"{host.folder}: the purchase is away")
            except (AssertionError, OSError) as error:
                self.trouble.append(repr(error))
            self.sent += 1
            self.ended.wait(0.02)

    def end(self, least):
        wait_for(lambda: self.sent >= least or self.trouble, PATIENCE, "the load")
        self.ended.set()
        self.join()


class Keys(unittest.TestCase):
    """An installation of two hosts."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.miro = self.enterContext(FakeMiro())
        overrides = {"miro": self.miro.settings()}
        self.site = self.enterContext(Deployment(self.server, overrides))
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)

    def two_hosts(self):
        self.other = self.enterContext(Host(self.site))
        self.hosts = [self.site, self.other]
        self.programs = [(host, program) for host in self.hosts
                         for program in (host.start_webhook(), host.start_worker())]

    def install(self):
        """Somebody signs in: tokens and an address are stored."""
        self.miro.token(USER, TEAM)
        self.miro.profile(USER, BUYER)
        self.assertEqual(self.site.request("GET", "/oauth/callback?code=c1")[0], 302)
        wait_for(lambda: self.site.sql("SELECT COUNT(*) FROM link") == "1\n", PATIENCE, "the link")

    def reload(self, wanted="reloaded"):
        before = [program.log_text().count(wanted) for _, program in self.programs]
        for host, program in self.programs:
            host.reload(program)
        for (_, program), count in zip(self.programs, before):
            wait_for(lambda program=program, count=count: program.log_text().count(wanted) > count, PATIENCE,
                     f"{program.name}: {wanted}")

    def rewrapped(self):
        """Rewraps until the older keys may go: what a reload left under way counts for some seconds."""
        def done():
            answer = self.site.ctl_json("keys", "rewrap")
            return answer if all(key["removable"] for key in answer["older"]) else None
        return wait_for(done, PATIENCE, "the older keys to be free", every=0.5)

    def test_rotation_under_load_on_two_hosts(self):
        self.two_hosts()
        self.install()
        self.site.deliver_woocommerce(order(12))
        wait_for(lambda: self.site.keys(USER) == ["icons-pro"], PATIENCE, "the purchase")
        indices = set(self.site.sql("SELECT HEX(address_index) FROM address").split())
        load = Load(self.hosts)
        self.addCleanup(load.ended.set)
        load.start()

        kid = self.site.ctl_json("keys", "new")["kid"]
        self.assertEqual(ring(self.site), ["1", kid])
        refused = self.site.ctl("keys", "promote", kid, expected=1).stderr
        self.assertIn("reload front", refused)
        self.assertEqual(ring(self.site), ["1", kid])
        self.reload()  # one host alone has it
        self.assertIn("not every program", self.site.ctl("keys", "promote", kid, expected=1).stderr)
        bring(self.site, [self.other], "keyring")
        self.reload()
        self.assertEqual(set(kids(self.site)), {"1"})
        for host in self.hosts:
            host.ctl("keys", "promote", kid)
            self.assertEqual(ring(host), [kid, "1"])
        self.reload()
        answer = self.rewrapped()
        self.assertEqual((answer["unopened"], answer["kid"]), (0, kid))
        self.assertEqual(set(kids(self.site)), {kid})
        for host in self.hosts:
            host.write("keyring", host.file_text("keyring").splitlines()[0] + "\n")
        self.reload()
        load.end(load.sent + 20)
        self.assertEqual(load.trouble, [])

        self.assertEqual(set(kids(self.site)), {kid})
        self.assertLessEqual(indices, set(self.site.sql("SELECT HEX(address_index) FROM address").split()))
        wait_for(lambda: self.site.sql("SELECT COUNT(*) FROM delivery WHERE state <> 'done'") == "0\n", PATIENCE,
                 "the drain")
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM shop_order"), f"{load.sent + 1}\n")
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM address"), f"{min(load.sent, 50) + 1}\n")
        self.assertIn(BUYER, self.site.ctl("user", "show", USER).stdout)
        token = self.miro.exchanges()
        self.site.sql(f"UPDATE miro_token SET refresh_due_at = 0 WHERE user_id = '{USER}'")
        wait_for(lambda: len(self.miro.exchanges()) > len(token), PATIENCE, "a refresh with the resealed token")
        self.assertEqual(self.miro.exchanges()[-1]["refresh_token"], f"refresh-{USER}")

    def test_a_needed_key_is_missed_at_start(self):
        self.site.start_webhook()
        self.site.deliver_woocommerce(order(12))
        old = self.site.file_text("keyring")
        new = f"2:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"
        self.site.write("keyring", new + old)
        front = self.site.programs[0]
        self.site.reload(front)
        wait_for(lambda: "webhook reloaded" in front.log_text(), PATIENCE, "the reload")
        self.site.deliver_woocommerce(order(13))
        self.site.sql("UPDATE sealed_key SET sealed = sealed")
        self.assertEqual(kids(self.site), {"1": 2, "2": 1})
        listed = self.site.ctl_json("keys")
        self.assertEqual({key["kid"]: (key["state"], key["values"], key["needed"]) for key in listed["keys"]},
                         {"1": ("opens", 2, True), "2": ("seals", 1, True)})
        self.assertIn(("front", "2", True),
                      [(holder["program"], holder["kid"], holder["seals"]) for holder in listed["programs"]])
        for keyring, complaint in ((old, 'no key "2"'), (new, "none of the keyring's keys")):
            self.site.write("keyring", keyring)
            self.site.reload(front)
            wait_for(lambda complaint=complaint: complaint in front.log_text().replace('\\"', '"'), PATIENCE,
                     "the refusal")
            self.assertIn(complaint, self.site.ctl("user", "show", "1", expected=78).stderr)
            self.assertIn(complaint, self.site.run("purchase-webhook", expected=1).stderr)
            worker = self.site.run("purchase-worker", "run", "--once", expected=1).stderr
            self.assertIn("keyring_does_not_fit", worker)
        other = f"1:{base64.b64encode(secrets.token_bytes(32)).decode()}\n"
        self.site.write("keyring", new + other)
        self.assertIn("keyring", self.site.ctl("user", "show", "1", expected=78).stderr)
        self.site.write("keyring", new + old)
        self.site.stop_program(front)
        self.assertTrue(self.site.ctl_json("keys", "rewrap")["older"][0]["removable"])
        self.site.write("keyring", new)
        self.site.worker_once()
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM delivery WHERE state = 'done'"), "2\n")

    def test_the_file(self):
        """Changed whole or not at all, with its mode; the other keys keep their places and their bytes."""
        self.site.write("keyring", self.site.file_text("keyring"), 0o640)
        path = self.site.path("keyring")
        first = self.site.file_text("keyring").split()
        self.assertEqual(self.site.ctl_json("keys", "new", "2026.b-1")["kid"], "2026.b-1")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o640)
        lines = self.site.file_text("keyring").split()
        self.assertEqual(lines[:1], first)
        self.assertEqual(len(base64.b64decode(lines[1].partition(":")[2])), 32)
        self.assertIn("already", self.site.ctl("keys", "new", "2026.b-1", expected=1).stderr)
        self.site.ctl("keys", "new", "no blanks", expected=2)
        self.site.ctl("keys", "promote", "nobody", expected=1)
        self.assertEqual(self.site.file_text("keyring").split(), lines)
        self.site.ctl("keys", "promote", "2026.b-1")
        self.assertEqual(self.site.file_text("keyring").split(), lines[::-1])
        self.site.ctl("keys", "promote", "2026.b-1")
        self.assertEqual(self.site.file_text("keyring").split(), lines[::-1])
        self.assertEqual([name for name in os.listdir(self.site.folder) if name.startswith("keyring")], ["keyring"])

    def test_two_keys_of_one_name(self):
        """Two hosts that each make a key of the same name must not both seal."""
        other = self.enterContext(Host(self.site))
        for host in (self.site, other):
            host.ctl("keys", "new", "next")
        self.site.ctl("keys", "promote", "next")
        self.assertIn('another key "next"', other.ctl("keys", "promote", "next", expected=1).stderr)
        self.assertEqual(ring(other), ["1", "next"])
        self.assertIn("not the one of that name", other.ctl("user", "show", "1", expected=78).stderr)

    def test_a_key_that_was_put_first_by_hand(self):
        """It would seal what the other host cannot open: nobody begins with it before all have it."""
        self.two_hosts()
        self.other.ctl("keys", "new", "next")
        self.other.write("keyring", "\n".join(reversed(self.other.file_text("keyring").split())) + "\n")
        for arguments in (["keys", "rewrap"], ["link", USER, "-", "--why", "w"]):
            refused = self.other.ctl(*arguments, expected=None, stdin=BUYER + "\n")
            self.assertIn(refused.returncode, (1, 78))
            self.assertIn("front", refused.stderr)
        front = self.programs[2][1]
        self.other.reload(front)
        wait_for(lambda: "new here and would seal" in front.log_text(), PATIENCE, "the refusal")
        self.assertEqual(self.site.sql("SELECT kid FROM sealing_key"), "1\n")

    def test_a_program_that_was_killed_is_not_waited_for_for_ever(self):
        front = self.site.start_webhook()
        self.site.ctl("keys", "new", "next")
        self.site.kill_program(front)
        self.assertIn("front", self.site.ctl("keys", "promote", "next", expected=1).stderr)
        self.site.sql("UPDATE key_holder SET seen_at = seen_at - 61000000")
        self.site.ctl("keys", "promote", "next")
        other = self.site.ctl_json("keys", "new", "later")["kid"]
        self.site.start_webhook()
        self.site.ctl("keys", "new", "latest")
        self.site.ctl("keys", "promote", "latest", expected=1)
        self.site.ctl("keys", "promote", "latest", "--force")
        self.assertEqual(ring(self.site), ["latest", "next", "1", other])

    def test_rewrap_goes_on_where_it_was_cut_off(self):
        self.site.start_webhook()
        for number in range(40):
            self.site.deliver_woocommerce(order(number))
        self.site.stop_program(self.site.programs[0])
        self.site.ctl("keys", "new", "next")
        self.site.ctl("keys", "promote", "next")
        self.site.sql("UPDATE delivery SET body = CONCAT(body, 'x') ORDER BY id DESC LIMIT 1")
        done = self.site.ctl("keys", "rewrap", expected=1)
        self.assertIn("1 values do not open", done.stderr)
        self.assertEqual(kids(self.site), {"1": 1, "next": 40})
        self.assertIn('no key "1"', self.without_old())
        self.site.sql("UPDATE delivery SET body = LEFT(body, LENGTH(body) - 1)"
                      " ORDER BY id DESC LIMIT 1")
        answer = self.site.ctl_json("keys", "rewrap")
        self.assertEqual((answer["resealed"], answer["unopened"]), (1, 0))
        self.assertEqual(self.site.ctl_json("keys", "rewrap")["resealed"], 0)
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM delivery"
                                       " WHERE sealed_bytes <> LENGTH(body)"), "0\n")

    def without_old(self):
        """What a program says to a keyring without the old key."""
        whole = self.site.file_text("keyring")
        self.site.write("keyring", whole.splitlines()[0] + "\n")
        said = self.site.ctl("user", "show", "1", expected=78).stderr
        self.site.write("keyring", whole)
        return said


if __name__ == "__main__":
    unittest.main()
