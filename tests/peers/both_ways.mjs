// What a library of Standard Webhooks and we must agree on, whoever signs; both libraries run it.
import assert from 'node:assert/strict';
import { deliver, environment, heldDeliveries, knob } from './support.mjs';

const WINDOW = 300;
const STRANGER = 'whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA==';

export function order(id, status, updated) {
  return JSON.stringify({
    type: 'order.updated', timestamp: updated,
    data: {
      id, status, email: 'Peer.Buyer+a@example.test', updated_at: updated, paid_at: updated,
      lines: [{ id: '1', product: '10', variant: null, sku: 'ICONS', quantity: 1, refunded_quantity: 0 }],
      metadata: {},
    },
  });
}

export function envelope(signature, { id, at = new Date(), prefix = 'webhook' }) {
  return {
    [`${prefix}-id`]: id, [`${prefix}-timestamp`]: String(Math.floor(at.getTime() / 1000)),
    [`${prefix}-signature`]: signature,
  };
}

// The library signs: the front takes it under either family of names, and refuses what was changed after.
export async function theySign(Webhook, name) {
  const { standardSecret } = environment();
  const library = new Webhook(standardSecret);
  const stranger = new Webhook(STRANGER);
  const body = order(`both-ways-${name}`, 'pending', '2026-01-05T10:00:00Z');
  const send = (headers, bytes = body) => deliver('standard-shop', bytes, headers);
  const invalid = [401, 'signature_invalid'];
  const now = new Date();
  for (const prefix of ['webhook', 'svix']) {
    const id = `msg_${name}_${prefix}`;
    const about = { id, at: now, prefix };
    const good = library.sign(id, now, body);
    const foreign = stranger.sign(id, now, body);
    const [, mac] = good.split(',');
    const bad = [foreign, `v2,${mac}`, `v1a,${mac}`, mac, `v1,${mac.slice(0, -2)}`, `${foreign} v1,`, `${foreign},${good}`, ''];
    for (const list of bad) {
      assert.deepEqual(await send(envelope(list, about)), invalid, `${prefix}: ${list}`);
    }
    assert.deepEqual(await send(envelope(good, about), `${body} `), invalid, 'another body');
    assert.deepEqual(await send(envelope(good, { ...about, id: `${id}x` })), invalid, 'another id');
    const later = new Date(now.getTime() + 1000);
    assert.deepEqual(await send(envelope(good, { ...about, at: later })), invalid, 'another time');
    for (const header of Object.keys(envelope(good, about))) {
      const { [header]: absent, ...rest } = envelope(good, about);
      assert.deepEqual(await send(rest), invalid, `without ${header}: ${absent}`);
    }
    const both = { ...envelope(good, { ...about, prefix: 'svix' }), ...envelope(good, { ...about, prefix: 'webhook' }) };
    assert.deepEqual(await send(both), invalid, 'both families');
    for (const seconds of [-WINDOW - 30, WINDOW + 30]) {
      const at = new Date(now.getTime() + seconds * 1000);
      assert.deepEqual(await send(envelope(library.sign(id, at, body), { ...about, at })), [401, 'timestamp_outside_window']);
    }
    // While a secret is exchanged the list holds one signature of each, in any order.
    assert.deepEqual(await send(envelope(`${foreign} v1a,${mac} ${good}`, about)), [200, 'stored']);
    assert.deepEqual(await send(envelope(`${good} ${foreign}`, about)), [200, 'duplicate']);
    for (const seconds of [-WINDOW + 30, WINDOW - 30]) {
      const at = new Date(now.getTime() + seconds * 1000);
      assert.deepEqual(await send(envelope(library.sign(id, at, body), { ...about, at })), [200, 'duplicate']);
    }
  }
}

// Makes a sale and gives a part of it back, with the webhooks held; the first one's body was changed after it was signed.
async function madeUp(source) {
  await knob('faults', { hold: true, corrupt: 1 });
  const items = [{ product: 'pro-icons', name: 'Icônes ✓', quantity: 2, price: '49.00' }];
  const sale = await knob('sales', { source, email: 'someone.else@example.test', name: 'Zoë Müller', items });
  await knob(`sales/${sale.id}/refund`, { source, items: [{ item: 0, quantity: 1 }] });
  const held = await heldDeliveries(source);
  await knob('faults', { hold: false });
  await knob('deliveries/release', { source, discard: true });
  const [changed, ...rest] = held;
  assert.ok(rest.length >= 1, `${held.length} deliveries`);
  return [changed, rest];
}

// The stand-in signs: the library reads what is whole, under the names that it knows.
async function weSign(library, stranger, source, prefix, known) {
  const [changed, rest] = await madeUp(source);
  const namesOf = (delivery) => Object.fromEntries(Object.entries(delivery.headers).map(([name, value]) => [
    known.some((each) => name.toLowerCase().startsWith(`${each}-`)) ? name
      : name.toLowerCase().replace(`${prefix}-`, `${known[0]}-`), value]));
  for (const delivery of [changed, ...rest]) {
    const names = Object.keys(delivery.headers).map((each) => each.toLowerCase());
    for (const part of ['id', 'timestamp', 'signature']) assert.ok(names.includes(`${prefix}-${part}`), names.join());
    assert.equal(names.filter((each) => /^(webhook|svix)-/.test(each)).length, 3, names.join());
  }
  assert.throws(() => library.verify(changed.body, namesOf(changed)), /No matching signature/);
  for (const delivery of rest) {
    const headers = namesOf(delivery);
    assert.deepEqual(library.verify(delivery.body, headers), JSON.parse(delivery.body));
    assert.throws(() => stranger.verify(delivery.body, headers), /No matching signature/);
    assert.throws(() => library.verify(Buffer.concat([delivery.body, Buffer.from(' ')]), headers), /No matching signature/);
    assert.throws(() => library.verify(delivery.body, { ...headers, [`${known[0]}-id`]: 'msg_of_another' }), /No matching signature/);
  }
}

// `known`: the families of header names that the library reads by itself.
export async function weSignBothFamilies(Webhook, known) {
  const { standardSecret, polarSecret } = environment();
  const stranger = new Webhook(STRANGER);
  for (const svix of [false, true]) {
    const prefix = svix ? 'svix' : 'webhook';
    await knob('stand', { source: 'standard-shop', svix });
    await weSign(new Webhook(standardSecret), stranger, 'standard-shop', prefix, known);
  }
  await knob('stand', { source: 'standard-shop', svix: false });
  // Polar's events, whose secret is the key as it stands.
  await knob('stand', { source: 'polar-shop', polar: true });
  await weSign(new Webhook(polarSecret, { format: 'raw' }), stranger, 'polar-shop', 'webhook', known);
}
