"""What every simulated shop is made of: products, orders, refunds, disputes, and the plain truth about them.

Nothing here knows how deliveries are merged. A shop keeps its objects as they are now; what a buyer owns is read
off them: paid, not cancelled, not in the bin, not refunded, not disputed, and of each line what was not given back.
"""

import time
from dataclasses import dataclass, field

DAY = 86400
# When every simulated shop opens: long enough ago that a term of one day is over, and its grace is not.
BEGIN = int(time.time()) // DAY * DAY - 300 * DAY


@dataclass(frozen=True)
class Product:
    """What a shop sells. `gives` holds (key, days, grace days), days None for ever."""
    product: int
    variant: int
    sku: str
    cents: int
    gives: tuple = ()


ALWAYS = None
PRODUCTS = (
    Product(10, 0, "ICONS", 4900, (("icons", ALWAYS, 0),)),
    Product(11, 0, "ADD-1", 1000, (("boards", ALWAYS, 0),)),
    Product(12, 121, "BUNDLE", 7000, (("boards", ALWAYS, 0), ("icons", ALWAYS, 0))),
    Product(12, 122, "HALF", 3000, (("boards", ALWAYS, 0),)),
    Product(13, 0, "TRIAL", 500, (("trial", 1, 0),)),
    Product(14, 0, "SUPPORT-S", 1500, (("support", 1, 3650),)),
    Product(15, 0, "SUPPORT-L", 9900, (("support", 36500, 0),)),
    Product(16, 0, "GIFT", 0, (("icons", ALWAYS, 0),)),
    Product(77, 0, "MUG", 1200),
    Product(99, 0, "CAP", 800),
)


def catalogue(sources):
    """The rules that say the same as PRODUCTS, for each source; one line may match several of them."""
    rules = []
    for source in sources:
        def rule(source=source, **said):
            rules.append({"source": source, **said})
        rule(product="10", grants=["icons"])
        rule(sku="ICONS", grants=["icons"])
        rule(sku="ADD-1", grants=["boards"])
        rule(product="12", grants=["boards"])
        rule(product="12", variant="121", grants=["icons"])
        rule(product="13", grants=["trial"], duration_days=1)
        rule(product="14", grants=["support"], duration_days=1, grace_days=3650)
        rule(product="15", grants=["support"], duration_days=36500)
        rule(sku="GIFT", grants=["icons"])
        rule(product="77", ignore=True)
    return {"entitlements": {key: {} for key in ("boards", "icons", "support", "trial")},
            "products": rules}


@dataclass
class Line:
    id: int
    product: Product
    quantity: int
    returned: int = 0

    @property
    def left(self):
        return self.quantity - self.returned


@dataclass
class Refund:
    """`lines` maps line ids to quantities; `cents` is the money."""
    id: int
    time: int
    cents: int
    lines: dict


@dataclass
class Dispute:
    id: int
    opened: int
    kind: str               # inquiry or chargeback
    state: str = "open"     # open, won, lost
    changed: int = 0
    evidence: int = None


@dataclass
class Order:
    id: object
    buyer: str              # the person, as the shop's accounts know them
    email: str              # as typed; None once it was wiped
    created: int
    modified: int
    lines: list
    state: str = "pending"  # pending, paid, cancelled, refunded
    detail: str = ""        # what the provider calls it, where it has several names for one state
    paid_at: int = None
    binned: bool = False
    deleted: bool = False
    wiped: bool = False
    refunds: list = field(default_factory=list)
    disputes: list = field(default_factory=list)

    @property
    def cents(self):
        return sum(line.quantity * line.product.cents for line in self.lines)

    @property
    def refunded_cents(self):
        return sum(refund.cents for refund in self.refunds)

    @property
    def disputed(self):
        return any(dispute.kind == "chargeback" and dispute.state in ("open", "lost")
                   for dispute in self.disputes)

    def owned(self):
        """[(key, quantity, end, end of grace)] that the order gives its buyer; times or None."""
        if self.state != "paid" or self.binned or self.deleted or self.disputed:
            return
        if self.cents and self.refunded_cents >= self.cents:
            return
        for line in self.lines:
            for key, days, grace in line.product.gives:
                if line.left <= 0:
                    continue
                end = None if days is None else self.paid_at + days * DAY
                yield key, line.left, end, end + grace * DAY if grace else None


def answer(orders, now):
    """What the buyer of these orders may use: {key: (status, quantity, end)}."""
    found = {}
    for order in orders:
        for key, quantity, end, grace in order.owned():
            if end is None or now < end:
                found.setdefault(key, []).append(("active", quantity, end))
            elif grace is not None and now < grace:
                found.setdefault(key, []).append(("grace", quantity, grace))
    result = {}
    for key, holdings in found.items():
        status = min(holding[0] for holding in holdings)
        ends = [end for kind, _, end in holdings if kind == status]
        result[key] = (status, sum(quantity for _, quantity, _ in holdings),
                       None if None in ends else max(ends))
    return result
