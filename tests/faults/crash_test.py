"""Programs and database killed at random moments under load: what was acknowledged is there, once, and answers say so.

    PURCHASE_SYNC_KILLS=100     how many kills (6 unless told)
    PURCHASE_SYNC_SEED=17       the moments, the victims and the histories; the time's unless told, and printed
    PURCHASE_SYNC_REPORT=FILE   where the figures go as JSON, beside being printed
"""

import json
import os
import sys
import time
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "property"))
from mariadb import MariaDB  # noqa: E402
from siege import PROGRAMS, Siege  # noqa: E402

KILLS = int(os.environ.get("PURCHASE_SYNC_KILLS", "6"))
SEED = int(os.environ.get("PURCHASE_SYNC_SEED", str(int(time.time()) % 100000)))
PATIENT = KILLS >= 100  # else the minutes that leases last are not waited for
ORDERS = 20 * KILLS     # of the shop whose webhooks get lost


class CrashTest(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_or_doubled(self):
        print(f"seed {SEED}, {KILLS} kills", file=sys.stderr, flush=True)
        with MariaDB(flushes=True) as server:
            siege = Siege(server, SEED, ORDERS)
            try:
                siege.besiege(KILLS)
                siege.recover(PATIENT)
                complaints = siege.verdict()
                report = siege.report()
            except BaseException:
                siege.run.print_logs()
                raise
            finally:
                siege.close()
        text = json.dumps(report, indent=1)
        print(text, file=sys.stderr)
        if os.environ.get("PURCHASE_SYNC_REPORT"):
            with open(os.environ["PURCHASE_SYNC_REPORT"], "w", encoding="utf-8") as file:
                file.write(text + "\n")
        self.assertEqual(complaints[:20], [], f"{len(complaints)} complaints, seed {SEED}")
        self.assertTrue(all(report["kills"][name] for name in PROGRAMS), "each was killed")
        self.assertGreater(report["retried"], 0, "the kills hurt nobody, so nothing is proved")
        self.assertGreater(report["found_by_resync"], 0)
        self.assertGreater(report["effects"], report["killed_in_all"])


if __name__ == "__main__":
    unittest.main()
