"""A WooCommerce shop of the sandbox that sells by the thousand, and its own truth: what every order gives, worked out here
from the shop's REST API.

    many = ManyOrders(deployment)       # before migrate(): it adds the key of its API
    many.sell(2500, seed=7, lose_percent=30)
    wait_for(lambda: many.left() == 0, 240, "the shop's trade")
    many.ours() == many.truth()
"""

import base64
import json

from programs import SOURCE

API = f"/shops/{SOURCE}"
GRANTS = {"10": "icons-pro", "11": "extra-boards"}  # 12 is sold, and grants nothing
CATALOGUE = {"entitlements": {key: {} for key in GRANTS.values()},
             "products": [{"source": SOURCE, "product": product, "grants": [key]}
                          for product, key in GRANTS.items()]}
LINES = ("SELECT CONCAT(c.order_id, '/', c.line_id, '/', c.entitlement_key, '=', c.quantity)"
         " FROM contribution c JOIN source s ON s.id = c.source_id"
         f" WHERE s.name = '{SOURCE}' AND c.state = 'active'")


class ManyOrders:
    def __init__(self, run):
        self.run = run
        run.write(f"{SOURCE}.key", "ck_1:cs_1\n")
        run.configure({f"source {SOURCE}": {
            "provider": "woocommerce", "webhook_secret_file": f"{SOURCE}.secret",
            "api_url": f"http://127.0.0.1:{run.sandbox_port}{API}", "api_key_file": f"{SOURCE}.key"}})

    def knob(self, path, **body):
        headers = {"Content-Type": "application/json"}
        status, _, value = self.run.request_json("POST", f"/sandbox/api/{path}", json.dumps(body),
                                                  headers, self.run.sandbox_port)
        assert status in (200, 201, 202), value
        return value

    def sell(self, count, seed, **faults):
        """The sandbox begins to sell, and to send what it does not lose."""
        self.knob("faults", seed=20261123, **faults)
        self.knob("orders/many", source=SOURCE, count=count, seed=seed)

    def left(self):
        status, _, value = self.run.request_json("GET", "/sandbox/api/many",
                                                  port=self.run.sandbox_port)
        assert status == 200, value
        return value["left"] + value["open"]

    # The shop's truth

    def shop_get(self, target):
        key = {"Authorization": "Basic " + base64.b64encode(b"ck_1:cs_1").decode()}
        status, headers, value = self.run.request_json("GET", API + target, headers=key,
                                                        port=self.run.sandbox_port)
        assert status == 200, value
        return headers, value

    def refunded(self, order):
        """{line: quantity given back}"""
        back = {}
        if order["refunds"]:
            for refund in self.shop_get(f"/wp-json/wc/v3/orders/{order['id']}/refunds"
                                        "?per_page=100")[1]:
                for item in refund["line_items"]:
                    line = next(int(meta["value"]) for meta in item["meta_data"]
                                if meta["key"] == "_refunded_item_id")
                    back[line] = back.get(line, 0) - item["quantity"]
        return back

    def truth(self):
        """Every line that grants something now, as LINES writes it."""
        lines, page, pages = set(), 1, 1
        while page <= pages:
            headers, orders = self.shop_get("/wp-json/wc/v3/orders?status=any&per_page=100"
                                            f"&orderby=id&order=asc&page={page}")
            pages, page = int(headers["X-WP-TotalPages"]), page + 1
            for order in orders:
                if order["status"] not in ("processing", "completed"):
                    continue
                back = self.refunded(order)
                for line in order["line_items"]:
                    key = GRANTS.get(str(line["product_id"]))
                    left = line["quantity"] - back.get(line["id"], 0)
                    if key and left > 0:
                        lines.add(f"{order['id']}/{line['id']}/{key}={left}")
        return lines

    def ours(self):
        return set(self.run.sql(LINES).split())
