// Stripe's own client signs what our front accepts, accepts what the stand-in signs, and reads the stand-in's sessions,
// line items, subscriptions and events.
import assert from 'node:assert/strict';
import Stripe from 'stripe';
import { deliver, environment, heldDeliveries, knob } from './support.mjs';

const { sandbox, stripeKey, stripeSecret } = environment();
const SOURCE = 'stripe-shop';
const { hostname, port } = new URL(sandbox);

// The client knows no base path, so the stand-in's home is put before each.
class Home {
  constructor(agent) { this.agent = agent; }

  getClientName() { return 'home'; }

  makeRequest(host, at, path, ...rest) {
    return this.agent.makeRequest(host, at, `/shops/${SOURCE}${path}`, ...rest);
  }
}
const client = (key) => new Stripe(key, {
  host: hostname, port, protocol: 'http', telemetry: false, maxNetworkRetries: 0,
  httpClient: new Home(Stripe.createNodeHttpClient()),
});
const stripe = client(stripeKey);

// What it signs, we accept; what it signs too early, with another secret, or twice, we tell apart.
const event = (id) => JSON.stringify({
  id, object: 'event', api_version: '2025-03-31.basil', created: Math.floor(Date.now() / 1000), livemode: false,
  type: 'checkout.session.expired', data: { object: { id: `cs_${id}`, object: 'checkout.session', mode: 'setup' } },
});
const sign = (payload, more) => ({
  'stripe-signature': stripe.webhooks.generateTestHeaderString({ payload, secret: stripeSecret, ...more }),
});
const now = Math.floor(Date.now() / 1000);
const one = event('evt_peer_1');
assert.deepEqual(await deliver(SOURCE, one, sign(one)), [200, 'stored']);
assert.deepEqual(await deliver(SOURCE, one, sign(one)), [200, 'duplicate']);
const two = event('evt_peer_2');
assert.equal((await deliver(SOURCE, two, sign(two, { timestamp: now - 1000 })))[0], 401);
assert.equal((await deliver(SOURCE, two, sign(two, { timestamp: now + 1000 })))[0], 401);
assert.equal((await deliver(SOURCE, two, sign(two, { secret: 'whsec_of_somebody_else' })))[0], 401);
assert.equal((await deliver(SOURCE, `${two} `, sign(two)))[0], 401);

// What the stand-in signs, it accepts.
await knob('faults', { hold: true });
const items = [{ product: 'prod_icons', variant: 'price_icons', sku: 'icons', quantity: 2, price: '49.00' },
  { product: 'prod_boards', quantity: 3, price: '10.00' }];
const bought = await knob('sales', { source: SOURCE, email: 'peer@example.test', items });
const monthly = await knob('sales', { source: SOURCE, email: 'peer@example.test', items: [items[0]], subscription: {} });
const held = await heldDeliveries(SOURCE);
await knob('faults', { hold: false });
await knob('deliveries/release', { source: SOURCE });
assert.ok(held.length >= 5);
const told = held.map((delivery) => stripe.webhooks.constructEvent(delivery.body, delivery.headers['Stripe-Signature'],
  stripeSecret));
assert.throws(() => stripe.webhooks.constructEvent(Buffer.concat([held[0].body, Buffer.from(' ')]),
  held[0].headers['Stripe-Signature'], stripeSecret));
const completed = told.find((item) => item.type === 'checkout.session.completed');
assert.equal(completed.data.object.customer_details.email, 'peer@example.test');

// What the stand-in answers, it reads.
const session = await stripe.checkout.sessions.retrieve(completed.data.object.id, {
  expand: ['line_items', 'payment_intent.latest_charge.refunds'] });
assert.equal(session.amount_total, 12800);
assert.equal(session.line_items.data.length, 2);
assert.equal(session.payment_intent.latest_charge.refunds.data.length, 0);
const lines = await stripe.checkout.sessions.listLineItems(session.id, { limit: 100 });
assert.deepEqual(lines.data.map((line) => [line.price.id, line.price.product, line.price.lookup_key, line.quantity]),
  [['price_icons', 'prod_icons', 'icons', 2], ['price_prod_boards', 'prod_boards', null, 3]]);
await knob(`sales/${bought.id}/refund`, { source: SOURCE, amount: '5.00' });
const refunds = await stripe.refunds.list({ charge: session.payment_intent.latest_charge.id });
assert.deepEqual(refunds.data.map((refund) => [refund.amount, refund.status]), [[500, 'succeeded']]);
const [{ id: subscriptionId }] = (await stripe.subscriptions.list({ status: 'all' })).data;
const subscription = await stripe.subscriptions.retrieve(subscriptionId, { expand: ['latest_invoice.payments', 'customer'] });
assert.equal(subscription.customer.email, 'peer@example.test');
assert.equal(subscription.latest_invoice.payments.data[0].status, 'paid');
assert.ok(subscription.items.data[0].current_period_end * 1000 > Date.now());

// Pages are walked to their end, each session once, and events by their types.
for (let i = 0; i < 12; i++) await knob('sales', { source: SOURCE, email: `peer${i}@example.test`, items: [items[1]] });
const seen = [];
for await (const each of stripe.checkout.sessions.list({ limit: 5 })) seen.push(each.id);
assert.equal(seen.length, 14);
assert.equal(new Set(seen).size, seen.length);
const events = [];
for await (const each of stripe.events.list({ limit: 3, types: ['charge.refunded', 'invoice.paid'], created: { gte: now - 60 } })) {
  events.push(each.type);
}
assert.deepEqual(events, ['charge.refunded', 'invoice.paid']);
assert.deepEqual((await stripe.webhookEndpoints.list()).data.map((hook) => hook.status), ['enabled']);

await assert.rejects(client('sk_test_of_somebody_else').checkout.sessions.list(),
  (error) => error instanceof Stripe.errors.StripeAuthenticationError);
await assert.rejects(stripe.checkout.sessions.retrieve('cs_test_nothing'),
  (error) => error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing');
await knob('faults', { busy_percent: 100 });
await assert.rejects(stripe.checkout.sessions.list(), (error) => error instanceof Stripe.errors.StripeRateLimitError);
await knob('faults', { busy_percent: 0 });
assert.ok(monthly.subscription.id > 0);
console.log('stripe agrees');
