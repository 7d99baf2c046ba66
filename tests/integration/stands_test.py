"""The stand-in shops' own APIs, and a resync that reads from them what no webhook told."""

import json
import os
import sys
import unittest
from urllib.parse import urlencode

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "property"))
from stories import BOARDS, ICONS, PRO, Stories  # noqa: E402

TERM = {"items": [PRO], "subscription": {"days": 30}}


class Stand(Stories):
    """Each provider's class has its manner of asking; sales are made in silence."""

    SOURCES = ("keyed",)
    LIFE = [
        # what happens in silence, and what it comes to
        ([("buy", {"items": [ICONS, BOARDS]})], {"icons": 1, "boards": 3}),
        ([("buy", {"items": [ICONS]}), ("refund", {"all": True})], {}),
        ([("buy", {"items": [BOARDS]}), ("refund", {"amount": "5.00"})], {"boards": 3}),
    ]
    TERMS = [
        ([("buy", TERM), ("renew", None)], {"pro": 2}),
        ([("buy", TERM), ("renew", None), ("refund", {"all": True})], {}),
        ([("buy", TERM), ("cancel", None), ("expire", None)], {}),
        ([("buy", TERM), ("change", {"quantity": 4}), ("renew", None)], {"pro": 4}),
    ]

    @classmethod
    def setUpClass(cls):
        if cls.PROVIDER is None:
            raise unittest.SkipTest("has no provider")
        super().setUpClass()

    def call(self, method, path, body=None, headers=None):
        """(status, value) of the shop's API."""
        data = b"" if body is None else json.dumps(body).encode()
        status, answer = self.sandbox.request(method, f"/shops/keyed{path}", data,
                                              {**self.HEADERS, **(headers or {})})
        return status, json.loads(answer)

    def get(self, path, **query):
        status, value = self.call("GET", f"{path}?{urlencode(query)}")
        self.assertEqual(status, 200, value)
        return value

    def live_silently(self, lives):
        """[(user, what is live at last)]"""
        told = []
        for steps, live in lives:
            user, email = self.buyer()
            sale = None
            for minute, (do, body) in enumerate(steps):
                body = dict(body or {}, silent=True)
                sale = self.turn("keyed", sale, minute, do,
                                 dict(body, email=email) if do == "buy" else body)
            told.append((user, live))
        return told

    def test_a_wrong_key_is_refused(self):
        for headers in ({}, {name: value[:-1] + "x" for name, value in self.HEADERS.items()}):
            status, _ = self.sandbox.request("GET", f"/shops/keyed{self.LIST}", b"", headers)
            self.assertEqual(status, 401)

    def test_a_resync_reads_what_no_webhook_told(self):
        told = self.live_silently(self.LIFE)
        self.run_.worker_once()
        for user, _ in told:
            self.assertEqual(self.live(user), {})
        self.run_.run("purchase-worker", "resync", "--source", "keyed")
        self.settle()
        for (user, live), (steps, _) in zip(told, self.LIFE):
            self.assertEqual(self.live(user), live, steps)
        again = self.run_.run("purchase-worker", "resync", "--source", "keyed", "--full")
        self.settle()
        for (user, live), (steps, _) in zip(told, self.LIFE):
            self.assertEqual(self.live(user), live, (steps, again.stdout))
        self.assertIn(", 0 changes", again.stdout)

    def test_a_webhook_that_is_gone_is_told(self):
        self.run_.run("purchase-worker", "resync", "--source", "keyed")
        if not self.TELLS_WEBHOOKS:
            return
        self.assertEqual(self.run_.metric("purchase_source_healthy", source="keyed"), 1)
        self.knob("stand", {"source": "keyed", "webhook": "missing"})
        self.addCleanup(self.knob, "stand", {"source": "keyed", "webhook": "enabled"})
        self.run_.run("purchase-worker", "resync", "--source", "keyed", expected=None)
        self.assertEqual(self.run_.metric("purchase_source_healthy", source="keyed"), 0)


class ShopifyStand(Stand):
    PROVIDER = "shopify"
    KEY = "shpat_0123456789abcdef"
    SETTINGS = {"live": "true"}
    HEADERS = {"X-Shopify-Access-Token": KEY, "Content-Type": "application/json"}
    LIST = "/admin/api/2026-07/orders/1.json"
    TELLS_WEBHOOKS = True

    def ask(self, query, **variables):
        status, value = self.call("POST", "/admin/api/2026-07/graphql.json",
                                  {"query": query, "variables": variables})
        self.assertEqual(status, 200, value)
        return value

    def test_a_field_that_shopify_does_not_have_is_refused(self):
        for query, what in (
                ("{orders(first:1){nodes{id emailAddress}}}", "doesn't exist on type 'Order'"),
                ("{orders(first:1){items{id}}}", "doesn't exist on type 'OrderConnection'"),
                ("{orders(first:1){nodes{customer}}}", "must have selections"),
                ("{orders{nodes{id}}}", "`first`"),
                ("mutation{orderClose{order{id}}}", "reads"),
                ("{orders(first:1){nodes{id}}", "syntax")):
            with self.subTest(query):
                self.assertIn(what, self.ask(query)["errors"][0]["message"])

    def test_pages_follow_each_other_while_orders_change(self):
        self.live_silently([([("buy", {"items": [ICONS]})], None)] * 7)
        query = ("query($after:String){orders(first:3,after:$after,sortKey:UPDATED_AT,"
                 "query:\"updated_at:>='2020-01-01T00:00:00Z'\"){pageInfo{hasNextPage endCursor}"
                 "nodes{legacyResourceId ... on Order{name}}}}")
        seen, after = set(), None
        self.knob("faults", {"page_under_writes": 1})
        self.addCleanup(self.knob, "faults", {"page_under_writes": 0})
        for page in range(60):
            value = self.ask(query, after=after)
            orders = value["data"]["orders"]
            seen |= {node["legacyResourceId"] for node in orders["nodes"]}
            after = orders["pageInfo"]["endCursor"]
            if page == 40:
                self.knob("faults", {"page_under_writes": 0})
            if not orders["pageInfo"]["hasNextPage"]:
                break
        sales = self.knob("sales?source=keyed")["sales"]
        self.assertEqual(seen, {str(820000000000000000 + sale["id"] * 10000) for sale in sales})

    def test_a_bucket_that_is_empty_throttles(self):
        self.knob("stand", {"source": "keyed", "bucket": 40})
        self.addCleanup(self.knob, "stand", {"source": "keyed", "bucket": 10**9})
        answers = [self.ask("{orders(first:50){nodes{id}}}") for _ in range(4)]
        self.assertIn("data", answers[0])
        self.assertEqual(answers[-1]["errors"][0]["extensions"]["code"], "THROTTLED")
        left = answers[-1]["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"]
        self.assertLess(left, 15)
        dear = self.ask("{orders(first:250){nodes{id}}}")
        self.assertEqual(dear["errors"][0]["extensions"]["code"], "MAX_COST_EXCEEDED")

    def test_addresses_may_be_hidden(self):
        self.knob("stand", {"source": "keyed", "hide_addresses": True})
        self.addCleanup(self.knob, "stand", {"source": "keyed", "hide_addresses": False})
        self.live_silently([([("buy", {"items": [ICONS]})], None)])
        value = self.ask("{orders(first:1){nodes{email customer{defaultEmailAddress{"
                         "emailAddress}}}}}")
        self.assertEqual(value["data"]["orders"]["nodes"][0],
                         {"email": None, "customer": {"defaultEmailAddress": None}})


class LemonSqueezyStand(Stand):
    PROVIDER = "lemonsqueezy"
    KEY = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.key.of-the-store"
    SECRET = "secret-of-{}"
    SETTINGS = {"live": "true"}
    HEADERS = {"Authorization": f"Bearer {KEY}"}
    LIST = "/v1/orders"
    TELLS_WEBHOOKS = True
    LIFE = Stand.LIFE + Stand.TERMS

    def test_pages_have_numbers_and_neighbours(self):
        self.live_silently([([("buy", TERM), ("renew", None)], None)] * 3)
        page = self.get("/v1/subscription-invoices", **{"page[size]": 2, "page[number]": 2})
        self.assertEqual((page["meta"]["page"]["currentPage"], len(page["data"])), (2, 2))
        self.assertIn("page%5Bnumber%5D=3", page["links"]["next"])
        times = [one["attributes"]["created_at"] for one in
                 self.get("/v1/orders", **{"page[size]": 100})["data"]]
        self.assertEqual(times, sorted(times, reverse=True))

    def test_the_minute_has_so_many_calls(self):
        self.addCleanup(self.knob, "stand", {"source": "keyed", "bucket": 10**9})
        self.knob("stand", {"source": "keyed", "bucket": 1})
        statuses = [self.call("GET", "/v1/orders")[0] for _ in range(2)]
        self.assertEqual(statuses[-1], 429)


class GumroadStand(Stand):
    PROVIDER = "gumroad"
    KEY = "access-token-of-the-account"
    SECRET = "address-secret-of-{}"
    SETTINGS = {"live": "true"}
    HEADERS = {"Authorization": f"Bearer {KEY}"}
    LIST = "/v2/sales"
    TELLS_WEBHOOKS = True
    LIFE = Stand.LIFE + Stand.TERMS

    def test_ten_sales_a_page_newest_first(self):
        self.live_silently([([("buy", TERM), ("renew", None), ("renew", None)], None)] * 5)
        seen, key = [], {}
        while True:
            page = self.get("/v2/sales", **key)
            self.assertLessEqual(len(page["sales"]), 10)
            seen += [(sale["created_at"], sale["id"]) for sale in page["sales"]]
            if "next_page_key" not in page:
                break
            key = {"page_key": page["next_page_key"]}
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual([at for at, _ in seen], sorted((at for at, _ in seen), reverse=True))
        self.assertGreaterEqual(len(seen), 15)


class FastSpringStand(Stand):
    PROVIDER = "fastspring"
    KEY = "user:password-of-the-store"
    SETTINGS = {"live": "true"}
    HEADERS = {"Authorization": "Basic dXNlcjpwYXNzd29yZC1vZi10aGUtc3RvcmU="}
    LIST = "/orders"
    TELLS_WEBHOOKS = False
    # What money went back is in the log of events alone, which a first resync does not read.
    LIFE = [life for life in Stand.LIFE + Stand.TERMS
            if not any(do == "refund" for do, _ in life[0])]

    def test_events_stay_unprocessed_until_they_are_acknowledged(self):
        _, email = self.buyer()
        self.turn("keyed", None, 0, "buy", {"items": [ICONS], "email": email, "silent": True})
        unprocessed = self.get("/events/unprocessed")["events"]
        self.assertEqual(unprocessed[-1]["type"], "order.completed")
        sale = self.turn("keyed", None, 1, "buy", {"items": [BOARDS], "email": email})
        self.arrive()
        order = f"O{sale['id']}"
        self.assertIn(order, [event["data"]["order"] for event in
                              self.get("/events/processed")["events"]])
        status, _ = self.call("POST", f"/events/{unprocessed[-1]['id']}", {"processed": True})
        self.assertEqual(status, 200)
        self.assertNotIn(unprocessed[-1]["id"], [event["id"] for event in
                                                 self.get("/events/unprocessed")["events"]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
