// A small service over real HTTP whose answers a test decides, and a document that can be hidden.

import { createServer } from 'node:http';
import { once } from 'node:events';

const base64url = (tree) => Buffer.from(JSON.stringify(tree)).toString('base64url');

// An idToken as Miro makes them; the signature is nobody's business here.
export function idToken({ user = '3458764514838398337', seconds = 300, serial = 0 } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'miro', sub: '3074457363680401096', team: '3458764514838398336', user, serial, iat: now, exp: now + seconds };
  return `${base64url({ alg: 'HS256', typ: 'JWT' })}.${base64url(claims)}.c2lnbmF0dXJl`;
}

export const answerOf = (version, keys = [], more = {}) => ({
  user: '3458764514838398337',
  team: '3458764514838398336',
  entitlements: keys.map((key) => ({ key, status: 'active', quantity: 1, expires_at: null })),
  identity: { state: 'linked' },
  version,
  ...more,
});

export function ok(response, tree) {
  response.writeHead(200, { 'Content-Type': 'application/json', ETag: `"${tree.version}"` });
  response.end(JSON.stringify(tree));
}

export function problem(response, status, code, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/problem+json', 'X-Request-Id': 'r-1', ...headers });
  response.end(JSON.stringify({ type: 'about:blank', title: code, status, code, detail: `It is ${code}.` }));
}

export async function until(what, probe, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

// Listens on the loopback; `answer` may be changed at any time, and each request is recorded with its body, when it
// came, and whether its client is still there.
export async function startService(answer) {
  const service = { answer, requests: [], open: 0, most: 0 };
  const server = createServer(async (request, response) => {
    const seen = { method: request.method, url: request.url, headers: request.headers, at: performance.now(), left: false };
    service.requests.push(seen);
    service.open += 1;
    service.most = Math.max(service.most, service.open);
    response.on('close', () => { service.open -= 1; seen.left = !response.writableFinished; });
    const parts = [];
    for await (const part of request) parts.push(part);
    seen.body = parts.length === 0 ? null : JSON.parse(Buffer.concat(parts));
    service.answer(seen, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  service.api = `http://127.0.0.1:${port}`;
  // Nobody answers at the same address any more, until it is back.
  service.away = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => { server.close(resolve); });
  };
  service.back = async () => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  service.stop = async () => { if (server.listening) await service.away(); };
  return service;
}

// What the module needs of a browser's document and window.
export class Screen extends EventTarget {
  visibilityState = 'visible';
  opened = [];
  blocked = false;

  show(state) {
    this.visibilityState = state;
    this.dispatchEvent(new Event('visibilitychange'));
  }

  open(url) {
    if (this.blocked) return null;
    const tab = { url, opener: this, closed: false, close() { this.closed = true; }, location: { replace(to) { tab.url = to; } } };
    this.opened.push(tab);
    return tab;
  }
}

export class Shelf {
  #items = new Map();

  getItem(name) { return this.#items.get(name) ?? null; }

  setItem(name, text) { this.#items.set(name, text); }

  removeItem(name) { this.#items.delete(name); }

  get size() { return this.#items.size; }
}
