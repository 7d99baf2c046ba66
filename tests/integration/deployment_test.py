"""All four programs beside one database, through the harness: bought, locked again, and a crash."""

import unittest

from mariadb import MariaDB
from programs import Deployment, wait_for

USER = "3458764514838398337"
CATALOGUE = {"entitlements": {"icons-pro": {"name": "Icon pack Pro"}},
             "products": [{"source": "main-store", "product": "10", "grants": ["icons-pro"]}]}


def order(status, modified):
    """An order as WooCommerce delivers it, with what the programs read and no more."""
    return {"id": 12, "status": status, "currency": "EUR", "total": "10.00",
            "date_created_gmt": "2026-11-20T10:00:00", "date_modified_gmt": modified,
            "date_paid_gmt": "2026-11-20T10:00:00", "billing": {"email": "Zoe@Example.test"},
            "line_items": [{"id": 1, "product_id": 10, "variation_id": 0, "quantity": 1,
                            "sku": "ICONS"}],
            "refunds": [], "meta_data": []}


class Whole(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(MariaDB())
        self.shop = self.enterContext(Deployment(self.server))
        self.shop.migrate()
        self.shop.apply_catalogue(CATALOGUE)

    def drained(self):
        return self.shop.sql("SELECT COUNT(*) FROM delivery WHERE state <> 'done'").strip() == "0"

    def test_bought_and_refunded(self):
        self.shop.start_sandbox()
        self.shop.start_webhook()
        self.shop.start_worker()
        self.shop.ctl("link", USER, "zoe@example.test", "--why", "a test")
        self.assertEqual(self.shop.keys(USER), [])
        paid = order("processing", "2026-11-20T10:00:01")
        self.assertEqual(self.shop.deliver_woocommerce(paid), {"status": "stored"})
        self.assertEqual(self.shop.deliver_woocommerce(paid), {"status": "duplicate"})
        wait_for(lambda: self.shop.keys(USER) == ["icons-pro"], 20, "the key")
        self.shop.deliver_woocommerce(order("refunded", "2026-11-20T11:00:00"))
        wait_for(lambda: self.shop.keys(USER) == [], 20, "the lock")
        self.assertEqual(self.shop.entitlement("icons-pro", USER)["reason"], "refunded")
        self.assertEqual(self.shop.metric("purchase_deliveries_total", source="main-store",
                                          outcome="stored"), 2)
        wait_for(self.drained, 20, "an empty inbox")
        self.shop.ctl("rebuild", "--check")

    def test_a_database_that_crashes_loses_nothing(self):
        self.shop.start_webhook()
        self.shop.deliver_woocommerce(order("processing", "2026-11-20T10:00:01"))
        self.server.kill()
        self.server.start()
        self.shop.worker_once()
        self.shop.ctl("link", USER, "zoe@example.test", "--why", "a test")
        wait_for(lambda: self.shop.keys(USER) == ["icons-pro"], 20, "the key")
        answer = self.shop.deliver_woocommerce(order("cancelled", "2026-11-20T12:00:00"))
        self.assertEqual(answer, {"status": "stored"})
        self.shop.worker_once()
        wait_for(lambda: self.shop.keys(USER) == [], 20, "the lock")
        self.shop.ctl("rebuild", "--check")


if __name__ == "__main__":
    unittest.main()
