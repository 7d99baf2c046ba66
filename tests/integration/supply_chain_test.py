"""What the programs are built of: pinned packages, a bill of materials, and libraries that are refused."""

import glob
import json
import os
import shutil
import subprocess
import unittest

from scratch import Scratch

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PROGRAMS = ("purchase-webhook", "purchase-worker", "purchasectl")
DIRECT = ("libc6", "libcurl4", "libevent-core-2.1-7", "libjson-c5", "libjwt0", "libmariadb3", "libssl3")
GOOD = {"libevent-core-2.1-7": "2.1.12-stable-8+deb12u1", "libcurl4": "7.88.1-10+deb12u15",
        "libssl3": "3.0.22-1~deb12u2", "libjwt0": "1.10.2-1+deb12u1", "libmariadb3": "1:10.11.19-0+deb12u1"}
OLD = {"libevent-core-2.1-7": "2.1.12-stable-8", "libcurl4": "7.88.1-10+deb12u14", "libssl3": "3.0.22-1~deb12u1",
       "libjwt0": "1.10.2-1", "libmariadb3": "1:10.11.18-0+deb12u1"}
NEWER = {"libevent-core-2.1-7": "2.1.12-stable-8+deb12u2", "libcurl4": "7.88.1-10+deb12u16",
         "libssl3": "3.0.23-1~deb12u1", "libjwt0": "1.10.2-1+deb12u2", "libmariadb3": "1:10.11.20-0+deb12u1"}
ELSEWHERE = {"libevent": "2.1.13-stable", "curl": "8.4.0", "OPENSSL": "3.0.8", "jwt": "1.17.0", "jsonc": "0.16"}


class InAFolder(unittest.TestCase):
    def setUp(self):
        scratch = Scratch("supply")
        self.addCleanup(scratch.close)
        self.folder = scratch.path

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class Packages(InAFolder):
    def setUp(self):
        super().setUp()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(f"{ROOT}/tests/peers/{name}", self.folder)

    def check(self, folder):
        done = subprocess.run([f"{ROOT}/scripts/check-packages", folder], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def test_ours_are_pinned(self):
        self.assertEqual(self.check(ROOT), (0, ""))
        self.assertEqual(self.check(self.folder), (0, ""))

    def test_an_entry_that_is_not(self):
        with open(os.path.join(self.folder, "package-lock.json"), encoding="utf-8") as file:
            text = file.read()
        for change in ({"integrity": None}, {"integrity": "sha1-" + "A" * 27 + "="}, {"integrity": "sha512-AAAA"},
                       {"version": None}, {"link": True}, {"resolved": "https://packages.example/stripe.tgz"}):
            lock = json.loads(text)
            entry = lock["packages"]["node_modules/stripe"]
            entry.update(change)
            for name in [name for name, value in change.items() if value is None]:
                del entry[name]
            self.write("package-lock.json", json.dumps(lock))
            code, said = self.check(self.folder)
            self.assertEqual(code, 1, change)
            self.assertIn("node_modules/stripe", said)

    def test_a_range_of_versions(self):
        with open(os.path.join(self.folder, "package.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        for version in ("^18.5.0", "*", "latest", "18", "git+https://example.test/x.git"):
            manifest["dependencies"]["stripe"] = version
            self.write("package.json", json.dumps(manifest))
            self.assertEqual(self.check(self.folder)[0], 1, version)

    def test_a_manifest_without_a_lock(self):
        os.remove(os.path.join(self.folder, "package-lock.json"))
        self.assertEqual(self.check(self.folder)[0], 1)

    def test_npm_called_in_other_ways(self):
        tool = "np" + "m"  # this file is looked through, too
        for line in ("% install\n", "cd x && % ci\n", "(% i stripe)\n", "% run build\n", "exec('% ci --no-audit')\n"):
            line = line.replace("%", tool)
            path = self.write("install", line)
            self.assertEqual(self.check(self.folder)[0], 1, line)
            os.remove(path)
        self.write("install", "# npm's\nnpm ci --ignore-scripts --no-audit\n")
        self.assertEqual(self.check(self.folder), (0, ""))


class Bill(InAFolder):
    def bill(self, name):
        path = os.path.join(self.folder, name)
        programs = [os.path.join(os.environ["PURCHASE_SYNC_BIN"], program) for program in PROGRAMS]
        done = subprocess.run([f"{ROOT}/scripts/sbom", "--version", "1.2.3", "--output", path, *programs],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, "rb") as file:
            return file.read()

    @unittest.skipUnless(shutil.which("dpkg-query"), "a system without Debian's packages")
    def test_everything_is_on_it(self):
        written = self.bill("first")
        self.assertEqual(written, self.bill("second"), "the same bytes each time")
        bill = json.loads(written)
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        self.assertEqual(bill["metadata"]["component"]["version"], "1.2.3")
        listed = {component["bom-ref"]: component for component in bill["components"]}
        self.assertEqual(len(listed), len(bill["components"]))
        direct = {listed[reference]["name"]: listed[reference] for reference in bill["dependencies"][0]["dependsOn"]}
        self.assertLessEqual(set(DIRECT), set(direct))
        for name, component in direct.items():
            installed = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", name], capture_output=True,
                                       text=True, check=True).stdout
            self.assertEqual(component["version"], installed)
            self.assertTrue(component["purl"].startswith("pkg:deb/"), component)
        locked = set()
        for path in glob.glob(f"{ROOT}/tests/**/package-lock.json", recursive=True):
            if "node_modules" not in path:
                with open(path, encoding="utf-8") as file:
                    locked |= {(place.rpartition("node_modules/")[2], entry["version"])
                               for place, entry in json.load(file)["packages"].items() if place}
        npm = [component for component in bill["components"] if component["purl"].startswith("pkg:npm/")]
        self.assertEqual({(component["name"], component["version"]) for component in npm}, locked)
        for component in npm:
            self.assertEqual(component["scope"], "excluded")
            self.assertRegex(component["hashes"][0]["content"], "^[0-9a-f]{128}$")


class Holes(InAFolder):
    """The configure step, with a dpkg-query that says what a test wants."""

    def configure(self, distribution, installed=None, own=None, **options):
        query = self.write("dpkg-query", "#!/bin/sh\nfor package; do :; done\ncase $package in\n" + "".join(
            f"{name}) echo '{version}' ;;\n" for name, version in (installed or {}).items()) + "*) exit 1 ;;\nesac\n")
        os.chmod(query, 0o700)
        settings = {"DISTRIBUTION": distribution, "DPKG_QUERY": query, **options,
                    **{f"{name}_VERSION": version for name, version in (own or {}).items()}}
        done = subprocess.run(["cmake", *(f"-D{name}={value}" for name, value in settings.items()), "-P",
                               f"{ROOT}/cmake/KnownHoles.cmake"], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    @unittest.skipUnless(shutil.which("dpkg"), "a system that cannot compare Debian's versions")
    def test_debian_12_by_its_packages(self):
        for fine in (GOOD, NEWER):
            self.assertEqual(self.configure("debian 12", fine, {"libevent": "2.1.12-stable"}), (0, ""))
        for name, version in OLD.items():
            code, said = self.configure("debian 12", {**GOOD, name: version})
            self.assertNotEqual(code, 0, name)
            self.assertIn(f"apt-get install --only-upgrade {name}", " ".join(said.split()))
            self.assertEqual(said.count("has known holes"), 1, said)

    def test_elsewhere_by_their_own_versions(self):
        self.assertEqual(self.configure("fedora 44", own=ELSEWHERE), (0, ""))
        for name, version in (("libevent", "2.1.12-stable"), ("curl", "8.3.0"), ("OPENSSL", "3.0.7"),
                              ("jwt", "1.16.0"), ("jsonc", "0.14")):
            code, said = self.configure("fedora 44", own={**ELSEWHERE, name: version})
            self.assertNotEqual(code, 0, name)
            self.assertEqual(said.count("has known holes"), 1, said)

    def test_a_distribution_that_has_mended_it_all_the_same(self):
        own = {**ELSEWHERE, "libevent": "2.1.12-stable"}
        self.assertEqual(self.configure("debian 13", own=own, KNOWN_HOLES_MENDED="libevent"), (0, ""))
        self.assertNotEqual(self.configure("debian 13", own=own, KNOWN_HOLES_MENDED="curl")[0], 0)


if __name__ == "__main__":
    unittest.main()
