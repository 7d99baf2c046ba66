// Shopify's own library takes every webhook that the stand-in signs, knows whose and what it is, and refuses what was changed.
import assert from 'node:assert/strict';
import '@shopify/shopify-api/adapters/node';
import { ApiVersion, shopifyApi } from '@shopify/shopify-api';
import { environment, heldDeliveries, knob } from './support.mjs';

const { shopifySecret } = environment();
const SOURCE = 'shopify-shop';

function library(apiSecretKey) {
  return shopifyApi({
    apiKey: 'peer', apiSecretKey, hostName: 'app.example.test', isEmbeddedApp: false, apiVersion: ApiVersion.July25,
    logger: { level: 0 },
  });
}
const shopify = library(shopifySecret);
const stranger = library('somebody-else-s-secret');

function judge(by, delivery, { body = delivery.body, headers = delivery.headers } = {}) {
  const rawRequest = { method: 'POST', url: delivery.path, headers };
  return by.webhooks.validate({ rawBody: body.toString(), rawRequest, rawResponse: {} });
}

await knob('faults', { hold: true, corrupt: 1 });
const items = [{ product: '788032119674292900', name: 'Icônes ✓', sku: 'ICONS', quantity: 2, price: '49.00' },
  { product: '788032119674292901', quantity: 3, price: '10.00' }];
const sale = await knob('sales', { source: SOURCE, email: 'peer@example.test', name: 'Zoë Müller', items, unpaid: true });
await knob(`sales/${sale.id}/pay`, { source: SOURCE });
await knob(`sales/${sale.id}/refund`, { source: SOURCE, items: [{ item: 1, quantity: 1 }] });
await knob(`sales/${sale.id}/dispute`, { source: SOURCE });
await knob(`sales/${sale.id}/dispute-close`, { source: SOURCE, won: true });
await knob(`sales/${sale.id}/delete`, { source: SOURCE });
const [changed, ...held] = await heldDeliveries(SOURCE);
await knob('faults', { hold: false });
await knob('deliveries/release', { source: SOURCE, discard: true });

const invalid = { valid: false, reason: 'invalid_hmac' };
assert.deepEqual(await judge(shopify, changed), invalid, 'changed on its way');
const topics = [];
const ids = new Set();
for (const delivery of held) {
  const told = await judge(shopify, delivery);
  assert.equal(told.valid, true, JSON.stringify(told));
  assert.equal(told.domain, `${SOURCE}.myshopify.com`);
  assert.match(told.apiVersion, /^20\d\d-(01|04|07|10)$/);
  topics.push(told.topic);
  ids.add(told.webhookId);
  assert.deepEqual(await judge(stranger, delivery), invalid);
  assert.deepEqual(await judge(shopify, delivery, { body: Buffer.concat([delivery.body, Buffer.from(' ')]) }), invalid);
  const { 'X-Shopify-Hmac-SHA256': signature, ...unsigned } = delivery.headers;
  assert.deepEqual(await judge(shopify, delivery, { headers: unsigned }), { valid: false, reason: 'missing_hmac' });
  const other = Buffer.from(signature, 'base64');
  other[31] ^= 1;
  const forged = { ...unsigned, 'X-Shopify-Hmac-SHA256': other.toString('base64') };
  assert.deepEqual(await judge(shopify, delivery, { headers: forged }), invalid);
}
assert.deepEqual(topics, ['ORDERS_PAID', 'ORDERS_UPDATED', 'REFUNDS_CREATE', 'ORDERS_UPDATED', 'DISPUTES_CREATE',
  'DISPUTES_UPDATE', 'ORDERS_DELETE']);
assert.equal(ids.size, held.length, 'each has an id of its own');
console.log('@shopify/shopify-api agrees');
