// Paddle's own client accepts what the stand-in signs, understands it, and reads what the stand-in answers.
import assert from 'node:assert/strict';
import { Environment, EventName, Paddle } from '@paddle/paddle-node-sdk';
import { environment, heldDeliveries, knob } from './support.mjs';

const { sandbox, paddleKey, paddleSecret } = environment();
const SOURCE = 'paddle-shop';
const paddle = new Paddle(paddleKey, { environment: `${sandbox}/shops/${SOURCE}` });
assert.notEqual(Environment.production, `${sandbox}/shops/${SOURCE}`);

await knob('faults', { hold: true });
const bought = await knob('sales', { source: SOURCE, email: 'peer@example.test', items: [
  { product: 'pro_icons', variant: 'pri_icons', quantity: 2, price: '49.00', recurring: false },
  { product: 'pro_boards', variant: 'pri_boards', quantity: 3, price: '10.00' }],
subscription: { days: 30 } });
await knob(`sales/${bought.id}/refund`, { source: SOURCE, items: [{ item: 0, quantity: 2 }] });
await knob(`sales/${bought.id}/cancel`, { source: SOURCE });
const held = await heldDeliveries(SOURCE);
await knob('faults', { hold: false });
await knob('deliveries/release', { source: SOURCE });

const told = [];
for (const delivery of held) {
  const signature = delivery.headers['Paddle-Signature'];
  const text = delivery.body.toString();
  assert.equal(await paddle.webhooks.isSignatureValid(text, paddleSecret, signature), true);
  assert.equal(await paddle.webhooks.isSignatureValid(`${text} `, paddleSecret, signature), false);
  assert.equal(await paddle.webhooks.isSignatureValid(text, 'pdl_ntfset_of_somebody_else', signature), false);
  told.push(await paddle.webhooks.unmarshal(text, paddleSecret, signature));
}
assert.deepEqual(told.map((event) => event.eventType), [EventName.TransactionPaid, EventName.SubscriptionCreated,
  EventName.SubscriptionActivated, EventName.TransactionCompleted, EventName.AdjustmentCreated,
  EventName.SubscriptionUpdated]);
const [, subscribed, , completed, refunded, cancelled] = told.map((event) => event.data);
assert.deepEqual(completed.items.map((item) => [item.price.id, item.price.productId, item.quantity]),
  [['pri_icons', 'pro_icons', 2], ['pri_boards', 'pro_boards', 3]]);
assert.equal(completed.details.totals.grandTotal, '12800');
assert.equal(subscribed.transactionId, completed.id);
assert.equal(refunded.status, 'approved');
assert.equal(refunded.items[0].type, 'full');
assert.equal(cancelled.scheduledChange.action, 'cancel');

const transaction = await paddle.transactions.get(completed.id, { include: ['customer', 'adjustment'] });
assert.equal(transaction.customer.email, 'peer@example.test');
assert.equal((await paddle.customers.get(completed.customerId)).email, 'peer@example.test');
assert.equal((await paddle.subscriptions.get(subscribed.id)).items.length, 1);

for (let i = 0; i < 12; i++) {
  await knob('sales', { source: SOURCE, email: `peer${i}@example.test`, items: [{ product: 'pro_boards', price: '10.00' }] });
}
const seen = [];
for await (const each of paddle.transactions.list({ perPage: 5, orderBy: 'id[ASC]' })) seen.push(each.id);
assert.equal(seen.length, 13);
assert.deepEqual([...seen].sort(), seen, 'in the order of their ids');
assert.equal(new Set(seen).size, seen.length);
const adjustments = [];
for await (const each of paddle.adjustments.list()) adjustments.push(each.id);
assert.deepEqual(adjustments, [refunded.id]);

const stranger = new Paddle('pdl_of_somebody_else', { environment: `${sandbox}/shops/${SOURCE}` });
await assert.rejects(stranger.customers.get(completed.customerId), (error) => error.code === 'authentication_missing');
await assert.rejects(paddle.transactions.get('txn_nothing'), (error) => error.code === 'not_found');
console.log('@paddle/paddle-node-sdk agrees');
