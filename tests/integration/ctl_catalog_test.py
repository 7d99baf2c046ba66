"""The catalogue: read strictly, judged before it comes into force, kept in versions."""

import json
import subprocess
import unittest

from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path

CATALOGUE = {
    "entitlements": {"icons-pro": {"name": "Icon pack Pro"}, "extra-boards": {}},
    "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                 {"source": SOURCE, "sku": "ADD-1", "grants": ["extra-boards"],
                  "duration_days": 36500, "grace_days": 7},
                 {"source": SOURCE, "product": "77", "ignore": True},
                 {"source": "billing", "product": "price_1", "grants": ["icons-pro"],
                  "checkout_url": "https://buy.example.com/x?client_reference_id={reference}"}],
}
SOURCES = {"source billing": {"provider": "standard", "webhook_secret_file": "billing.secret"}}

# A member of the first product or entitlement, what it becomes, and what the complaint must say.
RULES = [
    ({"colour": "red"}, r"products\[0\]\.colour: unknown member, expected source"),
    ({"product": 10}, r"products\[0\]\.product: int, expected a text"),
    ({"product": None, "sku": ""}, r"products\[0\]\.sku: 0 bytes, expected 1 to 191"),
    ({"product": "x" * 192}, r"products\[0\]\.product: 192 bytes, expected"),
    ({"product": "a\nb"}, r"products\[0\]\.product: a control character"),
    ({"product": None}, r"products\[0\]: selects nothing, expected product, variant or sku"),
    ({"source": None}, r"products\[0\]\.source: missing"),
    ({"source": "elsewhere"}, r"products\[0\]\.source: no source \"elsewhere\" is configured, expected one of: .*main-store"),
    ({"source": "billing", "variant": "1"}, r"products\[0\]\.variant: stripe orders have none"),
    ({"grants": "icons-pro"}, r"products\[0\]\.grants: string, expected a list"),
    ({"grants": []}, r"products\[0\]\.grants: empty"),
    ({"grants": ["nope"]}, r"products\[0\]\.grants\[0\]: \"nope\" is not declared"),
    ({"grants": ["icons-pro", "icons-pro"]}, r"products\[0\]\.grants\[1\]: \"icons-pro\" stands twice"),
    ({"grants": [7]}, r"products\[0\]\.grants\[0\]: int, expected a text"),
    ({"grants": None}, r"products\[0\]: grants nothing"),
    ({"ignore": True}, r"products\[0\]: both ignores and grants"),
    ({"grants": None, "ignore": "yes"}, r"products\[0\]\.ignore: string, expected true or false"),
    ({"duration_days": 0}, r"products\[0\]\.duration_days: 0, expected a whole number of days from 1 to 36500"),
    ({"duration_days": 1.5}, r"products\[0\]\.duration_days: 1.5, expected"),
    ({"duration_days": "30"}, r"products\[0\]\.duration_days: \"30\", expected"),
    ({"grace_days": 4000}, r"products\[0\]\.grace_days: 4000, expected"),
    ({"checkout_url": "ftp://x"}, r"products\[0\]\.checkout_url: .*expected an https"),
]
TEXTS = [
    ("", r":1: .*expected JSON"),
    ("{", r":1: .*expected JSON"),
    ("{\n\"entitlements\": {},\n\"products\": [}", r":3: .*expected JSON"),
    ("null", r"\(whole file\): null, expected an object"),
    ("[]", r"\(whole file\): array, expected an object"),
    ("{}", r"entitlements: missing"),
    ('{"entitlements": {}}', r"products: missing"),
    ('{"entitlements": [], "products": []}', r"entitlements: missing or no object"),
    ('{"entitlements": {}, "products": {}}', r"products: missing or no list"),
    ('{"entitlements": {}, "products": [], "more": 1}', r"more: unknown member"),
    ('{"entitlements": {}, "products": []} x', r"expected JSON"),
    ('{"entitlements": {}, "products": [1]}', r"products\[0\]: int, expected an object"),
    ('{"entitlements": {"a b": {}}, "products": []}', r"entitlements\.a b: not a key"),
    ('{"entitlements": {"a": 1}, "products": []}', r"entitlements\.a: int, expected an object"),
    ('{"entitlements": {"a": {"name": 1}}, "products": []}', r"entitlements\.a\.name: int"),
    ('{"entitlements": {"a": {"nam": "x"}}, "products": []}', r"entitlements\.a\.nam: unknown"),
    ('{"entitlements": {"a": {},\n"a": {}}, "products": []}', r":2: member \"a\" stands twice"),
    ('{"entitlements": {"a": {},\n"\\u0061": {}}, "products": []}', r":2: member \"a\" stands twice"),
    ('{"products": [], "entitlements": {},\n\n"products": []}', r":3: member \"products\" stands twice"),
    ("{'entitlements': {}, 'products': []}", r"expected JSON"),
    ('{"entitlements": {}, "products": [],}', r"expected JSON"),
    ('{"entitlements": {}, "products": [1,]}', r"expected JSON"),
    ('{"entitlements": {}, "products": [NaN]}', r"expected JSON|double, expected an object"),
    ('{"entitlements": {"a": {"name": "tab\there"}}, "products": []}', r"control character|expected JSON"),
    ('{"entitlements": {}, "products": [] /* no */}', r"expected JSON"),
    ('{"entitlements": {}, "products": []}\0', r"NUL byte"),
    ("[" * 40 + "]" * 40, r"expected JSON"),
    ('{"entitlements": {"' + "k" * 65 + '": {}}, "products": []}', r"not a key, expected 1 to 64"),
]


def order(number, product="10", email=None, sku=""):
    return {"id": number, "status": "processing", "total": "49.00", "meta_data": [], "refunds": [],
            "billing": {"email": email or f"buyer{number}@example.test"},
            "line_items": [{"id": 1, "product_id": int(product), "variation_id": 0, "sku": sku,
                            "quantity": 1}],
            "date_modified_gmt": "2026-11-20T10:00:00", "date_paid_gmt": "2026-11-20T10:00:00"}


class Catalogue(unittest.TestCase):
    """One deployment; every test begins with an empty database of its own."""

    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.site = self.enterContext(Deployment(self.server, SOURCES, {"billing.secret": "whsec_x\n"}))
        self.site.migrate()

    def apply(self, catalogue, *options, expected=0):
        text = catalogue if isinstance(catalogue, str) else json.dumps(catalogue)
        path = self.site.write("c.json", text)
        return self.site.ctl("catalog", "apply", path, *options, expected=expected)

    def sold(self, *orders):
        webhook = self.site.start_webhook()
        for one in orders:
            self.site.deliver_woocommerce(one)
        self.site.stop_program(webhook)
        self.site.worker_once()

    def versions(self):
        return int(self.site.sql("SELECT COUNT(*) FROM catalogue_version"))

    def test_bad_rules(self):
        self.site.configure({"source billing": {"provider": "stripe"}})
        for change, pattern in RULES:
            with self.subTest(change):
                catalogue = json.loads(json.dumps(CATALOGUE))
                rule = catalogue["products"][0]
                rule.update(change)
                catalogue["products"][0] = {k: v for k, v in rule.items() if v is not None}
                done = self.apply(catalogue, expected=1)
                self.assertRegex(done.stderr, "c.json: " + pattern)
                self.assertEqual(done.stdout, "")
        self.assertEqual(self.versions(), 0)

    def test_bad_texts(self):
        for text, pattern in TEXTS:
            with self.subTest(text[:60]):
                done = self.apply(text, expected=1)
                self.assertRegex(done.stderr, "c.json" + ".*" + pattern)
        self.assertEqual(self.versions(), 0)

    def test_a_file_that_is_null(self):
        self.assertEqual(self.apply("null", expected=1).stderr.partition("c.json: ")[2],
                         "(whole file): null, expected an object with entitlements and products\n")

    def test_a_key_that_a_nul_would_cut(self):
        """What stands before the NUL must not be taken for the whole."""
        for text in ('{"entitlements": {"ic\\u0000x": {}},\n"products": []}',
                     '{"entitlements": {"ic": {}, "ic\\u0000x": {}},\n"products": []}',
                     '{"entitlements": {}, "products": [], "products\\u0000": 1}'):
            done = self.apply(text, expected=1)
            self.assertRegex(done.stderr, r'c.json:1: member "[a-z]+\\u0000x?" holds a NUL')
            self.assertNotIn("\0", done.stderr)
        self.assertEqual(self.versions(), 0)

    def test_echoed_names_steer_no_terminal(self):
        steering = "\x1b[31m\x07\x7f\u009b2J\r"
        for catalogue in ({"entitlements": {steering: {}}, "products": []},
                          {"entitlements": {"a": {steering: 1}}, "products": []},
                          {"entitlements": {}, "products": [{"source": SOURCE, steering: 1}]},
                          {"entitlements": {}, "products": [], steering: 1},
                          '{"entitlements": {}, "products": [], "%s": 1, "%s": 2}' % (("a\x7f\u009b",) * 2),
                          {"entitlements": {}, "products": [{"source": SOURCE, "product": "1",
                                                             "grants": ["a\u009b"]}]},
                          {"entitlements": {}, "products": [{"source": SOURCE, "product": "1",
                                                             "duration_days": "\x7f\u009b"}]}):
            with self.subTest(catalogue):
                done = self.apply(catalogue, expected=1)
                said = done.stderr.replace("\n", "")
                self.assertTrue(said)
                self.assertEqual([c for c in said if not c.isprintable()], [])

    def test_bytes_that_are_no_text(self):
        path = self.site.path("c.json")
        with open(path, "wb") as file:
            file.write(b'{"entitlements": {"a": {"name": "\xff\xfe"}}, "products": []}')
        self.assertIn("expected JSON", self.site.ctl("catalog", "apply", path, expected=1).stderr)
        self.site.ctl("catalog", "apply", self.site.path("nowhere.json"), expected=1)

    def test_every_fault_is_told(self):
        catalogue = json.loads(json.dumps(CATALOGUE))
        catalogue["products"][0]["product"] = 10
        catalogue["products"][1]["grants"] = ["nope"]
        done = self.apply(catalogue, expected=1)
        self.assertIn("products[0].product", done.stderr)
        self.assertIn("products[1].grants[0]", done.stderr)

    def test_versions(self):
        done = self.apply(CATALOGUE, "--dry-run")
        self.assertIn("icons-pro \"Icon pack Pro\"", done.stdout)
        self.assertEqual(self.versions(), 0)
        self.apply(CATALOGUE)
        self.assertIn("unchanged", self.apply(CATALOGUE).stdout)
        self.assertEqual(self.versions(), 1)
        changed = json.loads(json.dumps(CATALOGUE))
        changed["entitlements"]["icons-pro"]["name"] = "Icons"
        changed["products"].pop()
        told = json.loads(self.apply(changed, "--json").stdout)
        self.assertEqual(told["version"], 2)
        self.assertEqual([(row["change"], row["kind"]) for row in told["difference"]],
                         [("renamed", "entitlement"), ("-", "rule")])
        self.assertEqual(json.loads(self.site.ctl("catalog", "show").stdout), changed)
        self.assertEqual(json.loads(self.site.ctl("catalog", "show", "1").stdout), CATALOGUE)
        self.site.ctl("catalog", "rollback")
        shown = self.site.ctl_json("catalog", "show")
        self.assertEqual((shown["version"], shown["catalogue"]), (3, CATALOGUE))
        self.site.ctl("catalog", "rollback", "2")
        self.assertEqual(self.site.ctl_json("catalog", "show")["catalogue"], changed)
        self.site.ctl("catalog", "rollback", "9", expected=1)
        self.site.ctl("catalog", "show", "9", expected=1)
        self.site.ctl("catalog", "show", "zero", expected=2)
        self.site.ctl("catalog", "apply", "x", "--max-revoke", "101", expected=1)

    def test_operators_who_apply_at_the_same_moment(self):
        """Each text becomes a version of its own, judged against the one before it."""
        running = []
        for number in range(4):
            path = self.site.write(f"c{number}.json", json.dumps({"entitlements": {f"k{number}": {}},
                                                                 "products": []}))
            running.append(subprocess.Popen(
                [program_path("purchasectl"), "--config", self.site.config, "catalog", "apply", path],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        for program in running:
            _, complaint = program.communicate(timeout=60)
            self.assertTrue(program.returncode == 0 or "other operators" in complaint, complaint)
        done = sum(program.returncode == 0 for program in running)
        self.assertGreaterEqual(done, 1)
        self.assertEqual(self.site.sql("SELECT MAX(version), COUNT(*) FROM catalogue_version"), f"{done}\t{done}\n")

    def test_a_fresh_database_has_nothing_to_show_or_take_back(self):
        self.site.ctl("catalog", "show", expected=1)
        self.site.ctl("catalog", "rollback", expected=1)

    def test_who_gains_and_who_loses(self):
        self.apply(CATALOGUE)
        self.sold(*[order(number) for number in range(1, 11)], order(20, "55"), order(21, "55"))
        wider = json.loads(json.dumps(CATALOGUE))
        wider["products"].append({"source": SOURCE, "product": "55", "grants": ["extra-boards"]})
        told = json.loads(self.apply(wider, "--json").stdout)
        self.assertEqual(told["keys"], [{"key": "extra-boards", "gain": 2, "lose": 0}])
        self.assertEqual((told["orders"], told["entitled_buyers"]), (12, 10))
        self.site.worker_once()

        narrower = json.loads(json.dumps(wider))
        narrower["products"] = narrower["products"][1:]
        done = self.apply(narrower, expected=1)
        self.assertIn("refused", done.stderr)
        self.assertNotIn("@", done.stdout)
        told = json.loads(self.apply(narrower, "--dry-run", "--json").stdout)
        self.assertEqual(told["keys"], [{"key": "icons-pro", "gain": 0, "lose": 10}])
        self.assertEqual((told["losing_buyers"], told["refused"]), (10, True))
        self.assertEqual(self.versions(), 2)
        self.apply(narrower, "--max-revoke", "83", expected=1)  # 10 of 12 are 83.3 %
        self.apply(narrower, "--max-revoke", "83.4")
        self.site.worker_once()
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM contribution WHERE state = 'active'"), "2\n")
        self.site.ctl("rebuild", "--check")

    def test_a_single_buyer_may_lose_without_more_ado(self):
        self.apply(CATALOGUE)
        self.sold(order(1))
        self.apply({"entitlements": {}, "products": []})

    def test_another_order_that_grants_the_key_keeps_it(self):
        """Nobody loses what a second purchase still gives."""
        self.apply(CATALOGUE)
        self.sold(*[order(n, email=f"b{n % 3}@example.test") for n in range(6)],
                  *[order(10 + n, "12", f"b{n}@example.test", "ALT") for n in range(3)])
        both = json.loads(json.dumps(CATALOGUE))
        both["products"].append({"source": SOURCE, "sku": "ALT", "grants": ["icons-pro"]})
        told = json.loads(self.apply(both, "--json").stdout)
        self.assertEqual(told["keys"], [])
        self.site.worker_once()
        other = json.loads(json.dumps(both))
        other["products"].pop(0)
        told = json.loads(self.apply(other, "--json").stdout)
        self.assertEqual((told["keys"], told["losing_buyers"]), ([], 0))


if __name__ == "__main__":
    unittest.main()
