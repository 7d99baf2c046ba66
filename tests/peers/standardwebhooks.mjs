// The reference library of Standard Webhooks signs what the front accepts, and reads what the stand-in signs.
import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { envelope, order, theySign, weSignBothFamilies } from './both_ways.mjs';
import { deliver, environment, waitForKeys } from './support.mjs';

const { standardSecret, polarSecret } = environment();
const library = new Webhook(standardSecret);

async function send(body, id, at = new Date()) {
  return deliver('standard-shop', body, envelope(library.sign(id, at, body), { id, at }));
}

await theySign(Webhook, 'standardwebhooks');
await weSignBothFamilies(Webhook, ['webhook']);

// The secret read as it stands, and as base64 of the same: only one of the two is this shop's.
const pending = order('peer-raw', 'pending', '2026-01-05T10:00:00Z');
for (const [key, expected] of [[new Webhook(polarSecret, { format: 'raw' }), [200, 'stored']],
  [new Webhook(Buffer.from(`${polarSecret}x`).toString('base64')), [401, 'signature_invalid']]]) {
  const about = { id: 'msg_raw', at: new Date() };
  assert.deepEqual(await deliver('polar-shop', pending, envelope(key.sign(about.id, about.at, pending), about)), expected);
}

// And what it signs decides.
const paid = order('peer-1', 'paid', '2026-01-05T10:00:00Z');
assert.deepEqual(await send(paid, 'msg_1'), [200, 'stored']);
assert.deepEqual(await send(paid, 'msg_1'), [200, 'duplicate'], 'a retry keeps its id');
await waitForKeys(['icons-pro']);
assert.deepEqual(await send(order('peer-1', 'refunded', '2026-01-05T11:00:00Z'), 'msg_4'), [200, 'stored']);
await waitForKeys([]);
console.log('standardwebhooks agrees');
