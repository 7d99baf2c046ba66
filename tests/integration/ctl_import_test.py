"""purchasectl import: what no API gives, brought in from files, once."""

import json
import os
import random
import subprocess
import unittest

from mariadb import MariaDB
from programs import SOURCE, Deployment, program_path

USER, OTHER = "3458764514838398337", "3458764514838398338"
CATALOGUE = {"entitlements": {"icons-pro": {}, "extra-boards": {}},
             "products": [{"source": SOURCE, "product": "10", "grants": ["icons-pro"]},
                          {"source": SOURCE, "sku": "ADD-1", "grants": ["extra-boards"]},
                          {"source": "second", "product": "10", "grants": ["icons-pro"]}]}
SECOND = {"source second": {"provider": "standard", "webhook_secret_file": "second.secret"}}
HEADER = "source,id,status,email,paid_at,updated_at,line,product,variant,sku,quantity,refunded_quantity,reference\n"
OLD = "2019-05-01T10:00:00Z"


def row(order="12", status="paid", email="zoe@example.test", updated=OLD, line="1", product="10", sku="",
        quantity="1", refunded="0", source=SOURCE):
    return f"{source},{order},{status},{email},{OLD},{updated},{line},{product},,{sku},{quantity},{refunded},\n"


def order_json(**changes):
    order = {"source": SOURCE, "id": "12", "status": "paid", "email": "zoe@example.test",
             "paid_at": OLD, "updated_at": OLD,
             "lines": [{"id": "1", "product": "10", "variant": None, "sku": None, "quantity": 1,
                        "refunded_quantity": 0}], "metadata": {}}
    order.update(changes)
    return json.dumps(order) + "\n"


def delivery(status, modified):
    """The same order as row()'s, as WooCommerce delivers it."""
    return {"id": 12, "status": status, "currency": "EUR", "total": "10.00",
            "date_created_gmt": "2019-05-01T10:00:00", "date_modified_gmt": modified,
            "date_paid_gmt": "2019-05-01T10:00:00", "billing": {"email": "zoe@example.test"},
            "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "quantity": 1, "sku": ""}],
            "refunds": [], "meta_data": []}


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = MariaDB()
        cls.addClassCleanup(cls.server.close)

    def setUp(self):
        self.site = self.enterContext(Deployment(
            self.server, SECOND, {"second.secret": "whsec_" + "c2Vjb25k" * 5 + "\n"}))
        self.site.migrate()
        self.site.apply_catalogue(CATALOGUE)

    def file(self, text, name="file"):
        return self.site.write(name, text)

    def run_import(self, kind, text, *options, expected=0):
        done = self.site.ctl("import", kind, self.file(text), *options, expected=expected)
        self.assertNotIn("@example", done.stdout + done.stderr, "no address is printed")
        return done

    def run_json(self, kind, text, *options):
        return json.loads(self.run_import(kind, text, *options, "--json").stdout)

    def tables(self):
        """Every row of every table, but for those in which programs say now and then which keys they hold."""
        columns = {}
        for line in self.site.sql("SELECT table_name, column_name FROM information_schema.columns"
                                  " WHERE table_schema = DATABASE()"
                                  " AND table_name NOT IN ('sealing_key', 'key_holder')").splitlines():
            table, column = line.split("\t")
            columns.setdefault(table, []).append(f"COALESCE(HEX({column}), '-')")
        rows = " UNION ALL ".join(f"SELECT CONCAT_WS(' ', '{table}', {', '.join(names)}) FROM {table}"
                                  for table, names in columns.items())
        return sorted(self.site.sql(rows).splitlines())

    def link(self, user=USER, address="zoe@example.test"):
        self.site.ctl("link", user, "-", "--why", "a test", stdin=address + "\n")

    def live(self):
        return self.site.sql("SELECT order_id, line_id, entitlement_key, quantity FROM contribution"
                             " WHERE state = 'active' ORDER BY 1, 2, 3").split("\n")[:-1]


class Orders(Import):
    def test_rows_that_follow_each_other_are_one_order(self):
        answer = self.run_json("orders", "\ufeff" + HEADER + row(line="1", quantity="2") +
                               row(line="2", product="", sku="ADD-1", quantity="3", refunded="1") +
                               row(order="13", product="99"))
        self.assertEqual((answer["rows"], answer["orders"], answer["new"]), (3, 2, 2))
        self.assertEqual(self.live(), ["12\t1\ticons-pro\t2", "12\t2\textra-boards\t2"])
        self.assertEqual(answer["keys"], [{"key": "icons-pro", "gain": 1, "lose": 0, "other": 0},
                                          {"key": "extra-boards", "gain": 1, "lose": 0, "other": 0}])
        self.assertEqual(answer["unmapped_products"],
                         [{"source": SOURCE, "product": "99", "variant": None, "sku": None, "orders": 1}])
        audit = self.site.sql("SELECT DISTINCT cause, LEFT(cause_id, 7) FROM audit WHERE order_id = '12'")
        self.assertEqual(audit, "operator\timport \n")

    def test_twice_changes_nothing(self):
        text = HEADER + row() + row(order="13", status="refunded")
        self.run_import("orders", text)
        before = self.tables()
        answer = self.run_json("orders", text)
        self.assertEqual((answer["new"], answer["known"]), (0, 2))
        self.assertEqual(self.tables(), before)

    def test_lines_of_json_are_the_same(self):
        self.run_import("orders", HEADER + row() + row(line="2", sku="ADD-1"))
        before = self.tables()
        lines = json.loads(order_json())["lines"]
        lines.append({"id": "2", "product": 10, "sku": "ADD-1", "quantity": "1"})
        self.run_import("orders", order_json(lines=lines))
        self.run_import("orders", json.dumps({"type": "order.updated", "timestamp": OLD, "source": SOURCE,
                                              "data": {**json.loads(order_json(lines=lines)),
                                                       "updated_at": None, "source": SOURCE}}))
        self.assertEqual(self.tables(), before)

    def test_from_standard_input(self):
        done = self.site.ctl("import", "orders", "-", "--json", stdin=HEADER + row())
        self.assertEqual(json.loads(done.stdout)["new"], 1)
        self.assertEqual(self.live(), ["12\t1\ticons-pro\t1"])

    def test_quoting(self):
        """RFC 4180: commas, quotes and ends of lines inside quotes, CRLF, and no end at the end."""
        text = 'id,source,status,quantity,line,sku,paid_at,email\r\n"1,2""\n3",' + SOURCE + ',"paid",1,"l","ADD-1",2019-05-01,zoe@example.test\r\n' \
               'x,' + SOURCE + ',paid,1,l,ADD-1,2019-05-01,zoe@example.test'
        refused = self.run_import("orders", text, expected=1)
        self.assertIn("file:2: id: expected at most 128 bytes of printable text", refused.stderr)
        self.run_import("orders", text.replace("\n3", " 3"))
        self.assertEqual(self.live(), ['1,2" 3\tl\textra-boards\t1', "x\tl\textra-boards\t1"])

    def test_bad_lines_are_named_and_nothing_is_imported(self):
        cases = [
            ("source", row(source="nowhere"), "a configured source: main-store second"),
            ("id", row(order=""), "the order's id"),
            ("id", row(order="x" * 129), "at most 128 bytes"),
            ("status", row(status="done"), "pending, paid, cancelled, refunded or disputed"),
            ("email", row(email="zoe at example.test"), "an e-mail address"),
            ("updated_at", row(updated="yesterday"), "2026-11-23T10:00:00Z"),
            ("updated_at", row(updated="2999-01-01"), "a time that does not lie in the future"),
            ("line", row(line=""), "the line's id"),
            ("quantity", row(quantity="1.5"), "a whole number from 0 to 1000000000"),
            ("quantity", row(quantity=""), "a whole number"),
            ("refunded_quantity", row(refunded="2"), "a whole number from 0 to 1"),
        ]
        for column, bad, expected in cases:
            with self.subTest(column=column, expected=expected):
                text = HEADER + row(order="1") + bad + row(order="2")
                done = self.run_import("orders", text, "--json", expected=1)
                self.assertIn(f"file:3: {column}: expected {expected}", done.stderr)
                self.assertIn("1 bad line: nothing was imported", done.stderr)
                fault = json.loads(done.stdout)["faults"][0]
                self.assertEqual((fault["line"], fault["column"]), (3, column))
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM shop_order"), "0\n")

    def test_rows_of_an_order_agree(self):
        cases = [(row(line="2", status="refunded"), "file:3: status: expected what the order's first row says"),
                 (row(line="1"), "two lines of the order have one id"),
                 (row(order="13") + row(line="2"), "line 2 tells this order otherwise with the same time")]
        for more, expected in cases:
            self.assertIn(expected, self.run_import("orders", HEADER + row() + more, expected=1).stderr)
        self.run_import("orders", HEADER + row() + row(line="2", email="", sku="ADD-1").replace(OLD, ""))
        self.assertEqual(len(self.live()), 3)

    def test_headers(self):
        for header, expected in ((HEADER.replace("sku", "price"), 'file:1: "price" is not known, expected source,'),
                                 (HEADER.replace("sku", "line"), '"line" stands twice'),
                                 (HEADER.replace("quantity,", "", 1), "file:1: quantity: expected this column"),
                                 (HEADER.replace(",", ";"), "column 1 is not known"),
                                 (row(), '"main-store" is not known'),
                                 ("zoe@example.test,12\n", "column 1 is not known"),
                                 ("", "it is empty"), (HEADER, "the file holds no row")):
            with self.subTest(header=header):
                self.assertIn(expected, self.run_import("orders", header, expected=1).stderr)

    def test_what_is_no_csv(self):
        for bad, expected in ((row(order='"12'), "the file ends inside a quoted field"),
                              (row(order='1"2'), "a quote inside a field"),
                              (row(order='"1"2'), "text behind a closing quote"),
                              (row() + "12,paid\n", "file:3: 2 fields, expected the header's 13"),
                              (row(order="1\r2"), "a carriage return alone"),
                              (row(order="1\x002"), "a NUL byte"),
                              (row(order="x" * (3 << 20)), "a row of more than 2 MiB")):
            with self.subTest(expected=expected):
                self.assertIn(expected, self.run_import("orders", HEADER + bad, expected=1).stderr)
        path = self.file("")
        with open(path, "wb") as file:
            file.write((HEADER + row(order="\xff")).encode("latin-1"))
        self.assertIn("file:2: expected UTF-8", self.site.ctl("import", "orders", path, expected=1).stderr)

    def test_what_is_no_order_in_json(self):
        lines = json.loads(order_json())["lines"]
        for bad, expected in (("{\n", "file:1: it is cut short"), ("{} {}\n", "file:1: it is not JSON"),
                              (order_json() + "[]\n", "file:2: it is not an object"),
                              (order_json().replace('"id": "12"', '"id": "12", "id": "13"'), "stands twice"),
                              (order_json(price=1), "a member that is not known, expected source, id"),
                              (order_json(lines=None), "lines: expected a list"),
                              (order_json(lines=[1]), "lines: expected a list of objects"),
                              (order_json(lines=lines + [{"id": "2"}]), "quantity, element 1: expected a whole"),
                              (order_json(id=["12"]), "id: expected a text, a whole number, or null"),
                              (order_json(paid_at=None, updated_at=None), "expected a time here, or in paid_at")):
            with self.subTest(expected=expected):
                self.assertIn(expected, self.run_import("orders", bad, expected=1).stderr)

    def test_calls(self):
        self.site.ctl("import", "orders", expected=2)
        self.site.ctl("import", "shops", "x", expected=2)
        self.site.ctl("import", "orders", "x", "--why", "y", expected=2)
        self.assertIn("No such file", self.site.ctl("import", "orders", "missing", expected=1).stderr)
        self.assertIn("directory", self.site.ctl("import", "orders", "/", expected=1).stderr)

    def test_later_news_from_the_shop_wins(self):
        self.link()
        self.site.start_webhook()
        self.run_import("orders", HEADER + row())
        self.assertEqual(self.site.keys(USER), ["icons-pro"])
        explained = self.site.ctl("explain", USER, "icons-pro").stdout
        self.assertRegex(explained, "told by +an import")
        self.site.deliver_woocommerce(delivery("refunded", "2020-01-01T00:00:00"))
        self.site.worker_once()
        self.assertEqual(self.site.entitlement("icons-pro", USER)["reason"], "refunded")
        self.run_import("orders", HEADER + row())
        self.run_import("orders", HEADER + row(updated="2019-12-31"))
        self.assertEqual(self.site.keys(USER), [])
        self.run_import("orders", HEADER + row(updated="2020-01-02"))
        self.assertEqual(self.site.keys(USER), ["icons-pro"])

    def test_standard_input_leaves_nothing_behind(self):
        folder = self.site.path("spool")
        os.mkdir(folder)
        command = [program_path("purchasectl"), "--config", self.site.config, "import", "orders", "-"]
        for place, expected in ((folder, 0), (folder + "/missing", 1)):
            done = subprocess.run(command, input=HEADER + row(), text=True, capture_output=True, check=False,
                                  env={**self.site.environment(), "TMPDIR": place})
            self.assertEqual(done.returncode, expected, done.stderr)
        self.assertEqual(os.listdir(folder), [])
        self.assertIn("standard input: No such file or directory", done.stderr)

    def test_mutated_files(self):
        """Whatever the bytes: imported or refused, and never anything else."""
        chance = random.Random(7)
        kinds = {"orders": [(HEADER + row() + row(order='"1""3"') + row(line="2")).encode(), order_json().encode()],
                 "links": [f'user,email,why\r\n{USER},zoe@example.test,"a, b"\r\n'.encode()],
                 "grants": [Grants.TEXT.encode()]}
        for _ in range(40):
            kind = chance.choice(list(kinds))
            data = bytearray(chance.choice(kinds[kind]))
            for _ in range(chance.randrange(1, 5)):
                at = chance.randrange(len(data))
                data[at:at + chance.randrange(3)] = chance.choice((b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b"{",
                                                                   b"}", b"\\", b"[]", bytes(data[:at])))
            with open(self.file(""), "wb") as file:
                file.write(data)
            done = self.site.ctl("import", kind, self.site.path("file"), "--dry-run", expected=None)
            self.assertIn(done.returncode, (0, 1), data)
            self.assertTrue(done.returncode == 0 or done.stderr.startswith("purchasectl: "), data)

    def test_memory_does_not_grow_with_the_file(self):
        def peak(orders):
            path = self.file(HEADER + "".join(row(order=str(i), email=f"b{i}@example.test")
                                              for i in range(orders)))
            program = subprocess.Popen([program_path("purchasectl"), "--config", self.site.config, "import",
                                        "orders", path, "--dry-run"], stdout=subprocess.DEVNULL,
                                       env=self.site.environment())
            most = 0
            while program.poll() is None:  # not ru_maxrss, in which this process counts before the exec
                with open(f"/proc/{program.pid}/status", encoding="ascii") as file:
                    most = max([most] + [int(line.split()[1]) for line in file if line.startswith("VmHWM")])
                try:
                    program.wait(0.01)
                except subprocess.TimeoutExpired:
                    pass
            self.assertEqual(program.returncode, 0)
            return most
        with open(program_path("purchasectl"), "rb") as file:
            if b"__asan_init" in file.read():
                self.skipTest("a sanitizer keeps what is freed")
        few = peak(500)
        self.assertLess(peak(8000), few + 1024)


class DryRun(Import):
    def test_writes_nothing_and_counts_who_would_be_locked(self):
        text = HEADER + row() + row(order="13") + row(order="14", email="yan@example.test", product="99") + \
            row(order="15", status="refunded", email="xi@example.test") + row(order="16", email="") + \
            row(order="17", email="wu@example.test", source="second")
        before = self.tables()
        answer = self.run_json("orders", text, "--dry-run")
        self.assertEqual(self.tables(), before)
        self.assertTrue(answer["dry_run"])
        self.assertEqual((answer["orders"], answer["new"]), (6, 6))
        locked = [{"source": SOURCE, "buyers": 2, "orders": 3}, {"source": "second", "buyers": 1, "orders": 1}]
        self.assertEqual(answer["locked_payers"], locked)
        self.assertEqual(answer["orders_without_address"], [{"source": SOURCE, "orders": 1}])
        self.assertEqual([product["product"] for product in answer["unmapped_products"]], ["99"])
        people = self.run_import("orders", text, "--dry-run").stdout
        self.assertIn("Payers who would be locked today", people)
        self.assertIn("install the plugin with that address", people)
        self.assertIn("import links", people)
        real = self.run_json("orders", text)
        for name in ("new", "keys", "locked_payers", "orders_without_address", "unmapped_products"):
            self.assertEqual(real[name], answer[name], name)

    def test_links_of_the_file_count_too(self):
        self.run_import("orders", HEADER + row() + row(order="13", email="yan@example.test"))
        text = f"user,email,why\n{USER},ZOE@example.test,old shop\n{OTHER},zoe@example.test,old shop\n"
        before = self.tables()
        answer = self.run_json("links", text, "--dry-run")
        self.assertEqual(self.tables(), before)
        self.assertEqual((answer["linked"], answer["contested"]), (1, 1))
        self.assertEqual(answer["locked_payers"], [{"source": SOURCE, "buyers": 1, "orders": 1}])
        self.assertEqual(self.run_json("links", text)["locked_payers"], answer["locked_payers"])

    def test_known_news_is_not_overruled_by_an_older_file(self):
        self.run_import("orders", HEADER + row(status="refunded", updated="2020-01-01"))
        answer = self.run_json("orders", HEADER + row(), "--dry-run")
        self.assertEqual((answer["new"], answer["keys"], answer["locked_payers"]), (1, [], []))
        answer = self.run_json("orders", HEADER + row(updated="2021-01-01"), "--dry-run")
        self.assertEqual(answer["locked_payers"], [{"source": SOURCE, "buyers": 1, "orders": 1}])


class Links(Import):
    def test_linked_held_and_contested(self):
        self.link(OTHER, "yan@example.test")
        text = f"why,email,user\nmigration,Zoe@Example.test,{USER}\nmigration,yan@example.test,{USER}\n"
        answer = self.run_json("links", text)
        self.assertEqual((answer["linked"], answer["held"], answer["contested"]), (1, 0, 1))
        self.assertEqual(answer["contests"], [{"line": 3, "user": USER, "holder": OTHER}])
        self.assertEqual(self.site.sql("SELECT user_id, origin, why FROM link ORDER BY 1"),
                         f"{USER}\timport\tmigration\n{OTHER}\tsupport\ta test\n")
        before = self.tables()
        answer = self.run_json("links", text)
        self.assertEqual((answer["linked"], answer["held"], answer["contested"]), (0, 1, 1))
        self.assertEqual(self.tables(), before)

    def test_lines_of_json(self):
        self.run_import("links", json.dumps({"user": int(USER), "email": "zoe@example.test", "why": "x"}) + "\n\n")
        self.assertEqual(self.site.sql("SELECT user_id FROM link"), USER + "\n")

    def test_bad_lines(self):
        for bad, expected in ((f"zoe,zoe@example.test,x", "user: expected a Miro user's id"),
                              (f"{USER},nobody,x", "email: expected an e-mail address"),
                              (f"{USER},,x", "email: expected an e-mail address"),
                              (f"{USER},zoe@example.test,", "why: expected a reason"),
                              (f"{USER},zoe@example.test,{'x' * 256}", "why: expected at most 255 bytes")):
            with self.subTest(bad=bad):
                done = self.run_import("links", f"user,email,why\n{USER},yan@example.test,x\n{bad}\n", expected=1)
                self.assertIn(f"file:3: {expected}", done.stderr)
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM link"), "0\n")


class Grants(Import):
    TEXT = f"user,key,until,why\n{USER},icons-pro,,conference\n{USER},extra-boards,2999-12-31,conference\n" \
           f"{OTHER},icons-pro,2020-01-01T00:00:00Z,long ago\n{USER},icons-pro,,conference\n"

    def test_an_imported_grant_is_one_however_often(self):
        self.site.start_webhook()
        preview = self.run_json("grants", self.TEXT, "--dry-run")
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM manual_grant"), "0\n")
        answer = self.run_json("grants", self.TEXT)
        for name, count in (("granted", 3), ("known", 1), ("over", 1)):
            self.assertEqual((preview[name], answer[name]), (count, count), name)
        self.assertEqual(self.site.keys(USER), ["extra-boards", "icons-pro"])
        self.assertEqual(self.site.keys(OTHER), [])
        before = self.tables()
        self.assertEqual(self.run_json("grants", self.TEXT)["granted"], 0)
        self.assertEqual(self.tables(), before)

    def test_a_revoked_one_stays_revoked(self):
        self.run_import("grants", self.TEXT)
        number = self.site.sql("SELECT LOWER(HEX(grant_id)) FROM manual_grant WHERE entitlement_key = 'extra-boards'")
        self.site.ctl("revoke", number.strip(), "--why", "a test")
        self.assertEqual(self.run_json("grants", self.TEXT)["granted"], 0)
        self.site.start_webhook()
        self.assertEqual(self.site.keys(USER), ["icons-pro"])

    def test_two_imports_at_once(self):
        rows = "".join(f"{USER},icons-pro,,reason {i}\n" for i in range(300))
        path = self.file("user,key,until,why\n" + rows)
        command = [program_path("purchasectl"), "--config", self.site.config, "import", "grants", path, "--json"]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self.site.environment())
                   for _ in range(3)]
        made = [json.loads(program.communicate(timeout=120)[0])["granted"] for program in running]
        self.assertEqual(sum(made), 300)
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM manual_grant"), "300\n")

    def test_bad_lines(self):
        for bad, expected in ((f"{USER},icons,,x", "key: expected a key of the catalogue in force"),
                              (f"{USER},icons-pro,soon,x", "until: expected 2026-11-23T10:00:00Z, or 2026-11-23"),
                              (f"{USER},icons-pro,,", "why: expected a reason")):
            done = self.run_import("grants", f"user,key,until,why\n{bad}\n", expected=1)
            self.assertIn(f"file:2: {expected}", done.stderr)
        self.assertEqual(self.site.sql("SELECT COUNT(*) FROM manual_grant"), "0\n")


if __name__ == "__main__":
    unittest.main()
