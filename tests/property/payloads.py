"""Orders as each provider writes them, for tests that walk through one life step by step."""

import time

DAY = 86400


def stamp(seconds, zone=""):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + zone


def woo_order(order_id, status, modified, lines, email="zoe@example.test", paid=None, refunds=(),
              **changes):
    """`lines` holds (line id, product id, sku, quantity, total), `refunds` (id, amount)."""
    order = {
        "id": order_id, "parent_id": 0, "status": status, "currency": "EUR", "version": "11.0.1",
        "total": f"{sum(line[4] for line in lines):.2f}", "customer_id": 0,
        "order_key": f"wc_order_{order_id}",
        "billing": {"first_name": "Zoë", "last_name": "Müller", "country": "DE", "email": email},
        "payment_method": "bacs", "transaction_id": "", "number": str(order_id), "meta_data": [],
        "line_items": [{
            "id": line_id, "name": sku.title(), "product_id": product, "variation_id": 0,
            "quantity": quantity, "tax_class": "", "total": f"{total:.2f}", "total_tax": "0.00",
            "taxes": [], "meta_data": [], "sku": sku}
            for line_id, product, sku, quantity, total in lines],
        "tax_lines": [], "shipping_lines": [], "fee_lines": [], "coupon_lines": [],
        "refunds": [{"id": refund_id, "reason": "", "total": f"-{amount:.2f}",
                     "total_tax": "0.00"} for refund_id, amount in refunds],
        "date_created_gmt": stamp(modified - 60), "date_modified_gmt": stamp(modified),
        "date_completed_gmt": None, "date_paid_gmt": stamp(paid) if paid else None,
        "currency_symbol": "€",
    }
    order.update(changes)
    return order


def woo_refund(refund_id, amount, created, lines=()):
    """As GET /orders/ID/refunds lists it; `lines` holds (order line id, product id, quantity)."""
    return {
        "id": refund_id, "date_created_gmt": stamp(created), "amount": f"{amount:.2f}",
        "reason": "", "refunded_by": 1, "refunded_payment": False, "meta_data": [],
        "line_items": [{
            "id": refund_id * 10 + at, "product_id": product, "variation_id": 0,
            "quantity": -quantity, "total": "-1.00", "sku": "", "meta_data": [
                {"id": 1, "key": "_refunded_item_id", "value": str(line_id)}]}
            for at, (line_id, product, quantity) in enumerate(lines)],
    }


def shopify_order(order_id, status, updated, lines, email="zoe@example.test", refunds=(),
                  cancelled=None, test=False, **changes):
    """`lines` holds (line id, product id, sku, quantity, quantity left, price)."""
    order = {
        "id": order_id, "admin_graphql_api_id": f"gid://shopify/Order/{order_id}", "email": email,
        "contact_email": email, "customer": {"id": 1, "email": email} if email else None,
        "financial_status": status, "fulfillment_status": None, "test": test, "currency": "EUR",
        "cancel_reason": "customer" if cancelled else None,
        "cancelled_at": stamp(cancelled, "Z") if cancelled else None,
        "created_at": stamp(updated - 60, "Z"), "updated_at": stamp(updated, "Z"),
        "processed_at": stamp(updated - 30, "Z"),
        "total_price": f"{sum(line[3] * line[5] for line in lines):.2f}", "note_attributes": [],
        "line_items": [{
            "id": line_id, "product_id": product, "variant_id": None, "sku": sku,
            "quantity": quantity, "current_quantity": left, "price": f"{price:.2f}"}
            for line_id, product, sku, quantity, left, price in lines],
        "refunds": list(refunds),
    }
    order.update(changes)
    return order


def shopify_refund(refund_id, order_id, created, amount, lines=()):
    """refunds/create, and what an order lists; `lines` holds (order line id, quantity)."""
    return {
        "id": refund_id, "order_id": order_id, "created_at": stamp(created, "Z"),
        "processed_at": stamp(created, "Z"), "note": None, "restock": False,
        "refund_line_items": [{"id": refund_id * 2 + at, "line_item_id": line_id,
                               "quantity": quantity, "restock_type": "no_restock"}
                              for at, (line_id, quantity) in enumerate(lines)],
        "transactions": [{"id": refund_id + 1, "kind": "refund", "status": "success",
                          "amount": f"{amount:.2f}"}],
        "order_adjustments": [],
    }


def shopify_dispute(dispute_id, order_id, status, opened, ended=None, kind="chargeback"):
    return {
        "id": dispute_id, "order_id": order_id, "type": kind, "amount": "10.00", "currency": "EUR",
        "reason": "fraudulent", "network_reason_code": "4837", "status": status,
        "evidence_due_by": None, "evidence_sent_on": None,
        "finalized_on": stamp(ended, "Z") if ended else None, "initiated_at": stamp(opened, "Z"),
    }


def standard_order(order_id, status, updated, lines, email="zoe@example.test", paid=None,
                   **changes):
    """`lines` holds (line id, product, sku, quantity, quantity refunded)."""
    data = {
        "id": order_id, "status": status, "email": email, "updated_at": stamp(updated, "Z"),
        "paid_at": stamp(paid, "Z") if paid else None,
        "lines": [{"id": line_id, "product": product, "variant": None, "sku": sku,
                   "quantity": quantity, "refunded_quantity": refunded}
                  for line_id, product, sku, quantity, refunded in lines],
        "metadata": {},
    }
    data.update(changes)
    return {"type": "order.updated", "timestamp": stamp(updated, "Z"), "data": data}
