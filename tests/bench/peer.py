"""The peer: the same work as a competent Node developer writes it (tests/bench/peer/), on the same tables but for its
inbox, which is one table.

Its front is one process and its worker is another, as ours are. Before anything is measured its answers are compared
with ours: the same bodies for the same users, the same answers to deliveries, and the same rows of contributions for
them.
"""

import json
import os
import shutil
import subprocess

import buyers
from mariadb import USER
from processes import Program
from programs import SOURCE, wait_for
from signing import MIRO_CLIENT_ID, sign_woocommerce

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer")
START_DEADLINE = 30
DRAIN_DEADLINE = 3600
DERIVED = ("shop_order", "order_snapshot", "order_line", "contribution", "audit", "change_feed", "address",
           "unmapped_line", "snapshot_refund")
CONTRIBUTIONS = ("SELECT order_id, line_id, entitlement_key, HEX(subject), subject_kind, team_id, state, quantity,"
                 " starts_at, ends_at, grace_until, catalogue_version FROM contribution ORDER BY 1, 2, 3")


def is_installed():
    return shutil.which("node") is not None and os.path.isdir(os.path.join(HERE, "node_modules"))


def make_inbox(run):
    with open(os.path.join(HERE, "schema.sql"), encoding="utf-8") as file:
        run.sql(file.read())


class Peer:
    """The peer's programs upon a deployment's database, with its secrets."""

    def __init__(self, run, port, name="peer"):
        self.run = run
        self.port = port
        self.settings = run.write(f"{name}.json", json.dumps({
            "port": port, "socket": run.server.socket, "user": USER, "database": run.database,
            "passwordFile": run.path("db.password"), "keyringFile": run.path("keyring"),
            "miroSecretFile": run.path("miro.secret"), "webhookSecretFile": run.path(f"{SOURCE}.secret"),
            "source": SOURCE, "clientId": MIRO_CLIENT_ID, "tokenCache": True,
            "origin": "https://plugin.example.com"}))
        make_inbox(run)

    def _command(self, script):
        return ["node", os.path.join(HERE, script), self.settings]

    def _environment(self):
        return {**self.run.environment(), "NODE_ENV": "production"}

    def start_front(self):
        """Ended with the deployment's other programs."""
        front = Program("peer-front", self._command("front.mjs"), self.run.folder, self._environment())
        self.run.programs.append(front)

        def answers():
            front.must_live()
            try:
                return self.run.request("GET", "/", port=self.port)[0] == 200
            except OSError:
                return False

        wait_for(answers, START_DEADLINE, "the peer's front")
        return front

    def drain(self):
        """Runs the worker until nothing is due; returns how many deliveries it processed."""
        done = subprocess.run(self._command("worker.mjs"), env=self._environment(), capture_output=True, text=True,
                              timeout=DRAIN_DEADLINE, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the peer's worker ended with {done.returncode}: {done.stderr[-4000:]}")
        return json.loads(done.stdout)["processed"]


def check_answers(run, peer, users):
    """Byte for byte what ours says, and nothing to strangers."""
    for number in range(0, users, max(1, users // 100)):
        headers = run.bearer(buyers.user(number), buyers.TEAM)
        ours = run.request("GET", "/v1/entitlements", headers=headers)
        its = run.request("GET", "/v1/entitlements", headers=headers, port=peer.port)
        assert ours[0] == its[0] == 200 and ours[2] == its[2], (ours[2], its[2])
        assert json.loads(its[2])["entitlements"], its[2]
        assert ours[1]["ETag"] == its[1]["ETag"]
    stranger = run.bearer("1", buyers.TEAM)
    assert run.request("GET", "/v1/entitlements", headers=stranger)[2] == \
        run.request("GET", "/v1/entitlements", headers=stranger, port=peer.port)[2]
    for headers in ({}, {"Authorization": "Bearer x.y.z"}, run.bearer("1", "1", exp=1)):
        ours = run.request_json("GET", "/v1/entitlements", headers=headers)
        its = run.request_json("GET", "/v1/entitlements", headers=headers, port=peer.port)
        assert ours[0] == its[0] == 401 and ours[2]["code"] == its[2]["code"], (ours, its)


def variety():
    """Orders of every status, and some that are told in the wrong order."""
    first = buyers.ORDER_NUMBERS_FROM - 1000
    statuses = ["completed", "processing", "pending", "on-hold", "cancelled", "failed", "refunded"]
    orders = [buyers.order(first + i, status=statuses[i % len(statuses)]) for i in range(70)]
    orders += [buyers.order(first + i, status="completed", date_modified_gmt="2026-01-06T10:00:00")
               for i in range(0, 70, 3)]
    orders += [buyers.order(first + i, status="cancelled", date_modified_gmt="2026-01-04T10:00:00")
               for i in range(0, 70, 5)]
    return [json.dumps(order).encode() for order in orders]


def deliver(run, port, body, headers):
    status, _, answer = run.request_json("POST", f"/webhooks/{SOURCE}", body,
                                         {"Content-Type": "application/json", **headers}, port)
    return status, answer.get("status")


def check_deliveries(run, peer):
    """The same deliveries to ours and then, all that came of them taken away, to the peer: the same answers, and the
    same rows. Needs a database of its own."""
    rows = {}
    for who, port, work in (("ours", run.port, run.worker_once), ("peer", peer.port, peer.drain)):
        bodies = variety()
        for body in bodies:
            answer = deliver(run, port, body, sign_woocommerce(body, run.secret(SOURCE)))
            assert answer == (200, "stored"), (who, answer)
        again = deliver(run, port, bodies[0], sign_woocommerce(bodies[0], run.secret(SOURCE)))
        wrong = deliver(run, port, bodies[0], {"X-WC-Webhook-Signature": "AAAA"})
        assert again == (200, "duplicate") and wrong[0] == 401, (who, again, wrong)
        work()
        rows[who] = run.server.rows(CONTRIBUTIONS, run.database)
        run.sql("".join(f"TRUNCATE TABLE {table};" for table in DERIVED))
        buyers.empty_inbox(run)
    assert len(rows["ours"]) == 70 and rows["ours"] == rows["peer"], \
        [pair for pair in zip(rows["ours"], rows["peer"]) if pair[0] != pair[1]]
