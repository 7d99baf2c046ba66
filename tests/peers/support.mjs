// What the peers' scripts share: where everything is, and the few requests that are not the peer's own.
const DEADLINE = 20000;

export function environment() {
  return JSON.parse(process.env.PURCHASE_SYNC_PEERS);
}

// [status, what the front calls it]
export async function deliver(source, body, headers) {
  const response = await fetch(`${environment().front}/webhooks/${source}`, {
    method: 'POST', body, headers: { 'content-type': 'application/json', ...headers },
  });
  const answer = await response.json();
  return [response.status, answer.status === response.status ? answer.code : answer.status];
}

// [status, body]
export async function check(token) {
  const response = await fetch(`${environment().front}/v1/entitlements`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  return [response.status, await response.json()];
}

export async function waitForKeys(wanted) {
  const { default: jsonwebtoken } = await import('jsonwebtoken');
  const { clientId, clientSecret, user, team } = environment();
  const token = jsonwebtoken.sign({ user, team }, clientSecret, { issuer: 'miro', subject: clientId, expiresIn: '1h' });
  const until = Date.now() + DEADLINE;
  for (;;) {
    const [, body] = await check(token);
    const keys = body.entitlements.map((item) => item.key);
    if (JSON.stringify(keys) === JSON.stringify(wanted)) return;
    if (Date.now() > until) throw new Error(`waited for ${wanted}, still ${keys}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

export async function knob(path, input) {
  const response = await fetch(`${environment().sandbox}/sandbox/api/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(input),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

// What a shop has made under the fault `hold`, as it would be sent.
export async function heldDeliveries(source) {
  const response = await fetch(`${environment().sandbox}/sandbox/api/deliveries?held=1&source=${source}`);
  const { deliveries } = await response.json();
  return deliveries.map((delivery) => ({ ...delivery, body: Buffer.from(delivery.body, 'base64') }));
}

// Presses Allow on the stand-in's page; where the browser would go next.
export async function allow(page, user, team) {
  const response = await fetch(page, {
    method: 'POST', redirect: 'manual', headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ who: `${user}/${team}`, decision: 'allow' }),
  });
  const location = response.headers.get('location');
  if (!location) throw new Error(`no redirect: ${response.status} ${await response.text()}`);
  return new URL(location);
}
