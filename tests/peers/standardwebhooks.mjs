// The reference library of Standard Webhooks signs; the front accepts it, and refuses what was changed after.
import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { deliver, environment, waitForKeys } from './support.mjs';

const { standardSecret } = environment();
const library = new Webhook(standardSecret);

function order(id, status, updated) {
  return JSON.stringify({
    type: 'order.updated', timestamp: updated,
    data: {
      id, status, email: 'Peer.Buyer+a@example.test', updated_at: updated, paid_at: updated,
      lines: [{ id: '1', product: '10', variant: null, sku: 'ICONS', quantity: 1, refunded_quantity: 0 }],
      metadata: {},
    },
  });
}

async function send(body, { id, at = new Date(), signedBody = body, prefix = 'webhook' }) {
  return deliver('standard-shop', body, {
    [`${prefix}-id`]: id,
    [`${prefix}-timestamp`]: String(Math.floor(at.getTime() / 1000)),
    [`${prefix}-signature`]: library.sign(id, at, signedBody),
  });
}

const paid = order('peer-1', 'paid', '2026-01-05T10:00:00Z');
assert.deepEqual(await send(paid, { id: 'msg_1' }), [200, 'stored']);
assert.deepEqual(await send(paid, { id: 'msg_1' }), [200, 'duplicate'], 'a retry keeps its id');
assert.deepEqual(await send(paid, { id: 'msg_2', prefix: 'svix' }), [200, 'stored'], "Svix's header names");
assert.deepEqual(await send(paid, { id: 'msg_3', signedBody: `${paid} ` }), [401, 'signature_invalid']);
for (const minutes of [-6, 6]) {
  const at = new Date(Date.now() + minutes * 60000);
  assert.deepEqual(await send(paid, { id: `msg_${minutes}`, at }), [401, 'timestamp_outside_window']);
}
await waitForKeys(['icons-pro']);
const refunded = order('peer-1', 'refunded', '2026-01-05T11:00:00Z');
assert.deepEqual(await send(refunded, { id: 'msg_4' }), [200, 'stored']);
await waitForKeys([]);
console.log('standardwebhooks agrees');
