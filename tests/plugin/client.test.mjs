// The plugin's module against a real HTTP server on the loopback.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { answerOf, idToken, ok, problem, Screen, Shelf, startService, until } from './service.mjs';

// The module looks for a document once, when it is read.
const screen = new Screen();
globalThis.document = screen;
globalThis.window = screen;
const { purchaseSync, PurchaseSyncError } = await import('../../plugin/purchase-sync.js');

let service;
let minted;
let clients;

const waits = () => service.requests.filter(({ url }) => url.includes('wait='));
const held = (response, list) => list.push(response);

function client(options = {}) {
  const made = purchaseSync({
    api: service.api,
    getIdToken: async () => { minted += 1; return idToken({ serial: minted }); },
    storage: null,
    ...options,
  });
  clients.push(made);
  return made;
}

const refused = (code) => (error) => error instanceof PurchaseSyncError && error.code === code;

beforeEach(async () => {
  minted = 0;
  clients = [];
  screen.visibilityState = 'visible';
  screen.opened = [];
  screen.blocked = false;
  service = await startService((request, response) => ok(response, answerOf('v1', ['icons-pro'])));
});

afterEach(async () => {
  for (const made of clients) made.close();
  await service.stop();
});

test('an answer tells what is unlocked, and asks with the idToken', async () => {
  const answer = await client().entitlements();
  assert.equal(answer.has('icons-pro'), true);
  assert.equal(answer.has('flow-shapes'), false);
  assert.equal(answer.stale, false);
  assert.ok(Date.now() - answer.asOf.getTime() < 10_000);
  const [{ method, url, headers }] = service.requests;
  assert.equal(`${method} ${url}`, 'GET /v1/entitlements');
  assert.match(headers.authorization, /^Bearer ey/);
});

test('has() asks by itself', async () => {
  assert.equal(await client().has('icons-pro'), true);
  assert.equal(await client().has('flow-shapes'), false);
});

test('the second question carries the tag of the first answer, and 304 keeps it', async () => {
  const sync = client();
  await sync.entitlements();
  service.answer = (request, response) => { response.writeHead(304); response.end(); };
  assert.equal((await sync.entitlements()).has('icons-pro'), true);
  assert.equal(service.requests[1].headers['if-none-match'], '"v1"');
  assert.equal(minted, 1);
});

test('questions at one time are one request', async () => {
  const sync = client();
  await Promise.all([sync.entitlements(), sync.has('icons-pro'), sync.entitlements()]);
  assert.equal(service.requests.length, 1);
});

test('an expired token is replaced once', async () => {
  service.answer = (request, response) => {
    if (service.requests.length === 1) problem(response, 401, 'token_expired');
    else ok(response, answerOf('v1', ['icons-pro']));
  };
  assert.equal(await client().has('icons-pro'), true);
  assert.equal(minted, 2);
  assert.notEqual(service.requests[0].headers.authorization, service.requests[1].headers.authorization);
});

test('a token that is expired twice is an error, and not asked with for ever', async () => {
  service.answer = (request, response) => problem(response, 401, 'token_expired');
  await assert.rejects(client().entitlements(), refused('token_expired'));
  assert.equal(service.requests.length, 2);
});

test('a token whose own time is over is not sent', async () => {
  const sync = client({ getIdToken: async () => { minted += 1; return idToken({ serial: minted, seconds: minted === 1 ? 1 : 300 }); } });
  await sync.entitlements();
  await sync.entitlements();
  await sync.entitlements();
  assert.equal(minted, 2);
});

test('an invalid token is not repeated, and takes back what was kept', async () => {
  const sync = client();
  await sync.entitlements();
  service.answer = (request, response) => problem(response, 401, 'token_invalid');
  await assert.rejects(sync.entitlements(), refused('token_invalid'));
  assert.equal(service.requests.length, 2);
});

test('an error tells code, words, status, request and when to ask again', async () => {
  service.answer = (request, response) => problem(response, 503, 'unavailable', { 'Retry-After': '7' });
  await assert.rejects(client().entitlements(), { code: 'unavailable', message: 'It is unavailable.', status: 503, retryAfter: 7, requestId: 'r-1' });
});

test('an error without a problem document still has a code', async () => {
  service.answer = (request, response) => { response.writeHead(502, { 'Content-Type': 'text/html' }); response.end('<h1>Bad Gateway</h1>'); };
  await assert.rejects(client().entitlements(), { code: 'http_502', status: 502 });
});

test('an answer that makes no sense is an error', async () => {
  for (const body of ['', '{"entitlements"', '[]', '{"entitlements":[{"kay":1}],"identity":{"state":"linked"}}']) {
    service.answer = (request, response) => { response.writeHead(200); response.end(body); };
    await assert.rejects(client().entitlements(), refused('strange_answer'));
  }
});

test('a Miro that tells nobody is an error of its own', async () => {
  await assert.rejects(client({ getIdToken: async () => { throw new Error('no'); } }).entitlements(), refused('id_token_unavailable'));
  await assert.rejects(client({ getIdToken: undefined }).entitlements(), refused('id_token_unavailable'));
  assert.equal(service.requests.length, 0);
});

test('while the network is away the last answer is kept, and says that it is old', async () => {
  const sync = client();
  const first = await sync.entitlements();
  await service.away();
  const kept = await sync.entitlements();
  assert.equal(kept.stale, true);
  assert.equal(kept.has('icons-pro'), true);
  assert.equal(kept.asOf.getTime(), first.asOf.getTime());
  await service.back();
  assert.equal((await sync.entitlements()).stale, false);
});

test('what is kept is kept for a bounded time', async () => {
  const sync = client({ keepSeconds: 0.05 });
  await sync.entitlements();
  await service.away();
  await until('the answer to be too old', () => performance.now() - service.requests[0].at > 100);
  await assert.rejects(sync.entitlements(), refused('network'));
});

test('the kept answer outlives the panel, for its own user alone', async () => {
  const storage = new Shelf();
  await client({ storage }).entitlements();
  await service.away();
  assert.equal((await client({ storage }).entitlements()).stale, true);
  const other = client({ storage, getIdToken: async () => idToken({ user: '3458764514838398338' }) });
  await assert.rejects(other.entitlements(), refused('network'));
  await assert.rejects(client({ storage, keepSeconds: 0 }).entitlements(), refused('network'));
});

test('an answer that the service itself calls old is old', async () => {
  service.answer = (request, response) => ok(response, answerOf('v1', [], { stale_seconds: 90 }));
  const answer = await client().entitlements();
  assert.equal(answer.stale, true);
  assert.ok(Date.now() - answer.asOf.getTime() >= 90_000);
});

test('following asks at once, then waits, and tells news', async () => {
  const waiting = [];
  service.answer = (request, response) => {
    if (request.url.includes('wait=')) held(response, waiting);
    else ok(response, answerOf('v1'));
  };
  const told = [];
  const sync = client();
  const stop = sync.onChange((answer) => told.push(answer));
  await until('a wait', () => waiting.length === 1);
  assert.equal(waits()[0].url, '/v1/entitlements?wait=25');
  assert.equal(waits()[0].headers['if-none-match'], '"v1"');
  assert.deepEqual(told.map(({ version }) => version), ['v1']);
  assert.equal((await sync.entitlements()).version, 'v1');
  assert.equal(service.requests.length, 2, 'what is followed is not asked for');
  ok(waiting[0], answerOf('v2', ['icons-pro']));
  await until('the next wait', () => waiting.length === 2);
  assert.deepEqual(told.map(({ version }) => version), ['v1', 'v2']);
  assert.equal(await sync.has('icons-pro'), true);
  assert.equal(service.most, 1, 'one request at a time');
  stop();
  await until('the wait to end', () => waits()[1].left);
});

test('two listeners share one wait, and a late one is told what is known', async () => {
  service.answer = (request, response) => { if (!request.url.includes('wait=')) ok(response, answerOf('v1')); };
  const sync = client();
  const told = [[], []];
  sync.onChange((answer) => told[0].push(answer.version));
  await until('a wait', () => waits().length === 1);
  sync.onChange((answer) => told[1].push(answer.version));
  await until('the late one', () => told[1].length === 1);
  assert.deepEqual(told, [['v1'], ['v1']]);
  assert.equal(service.requests.length, 2);
});

test('a hidden document ends the wait, and a visible one asks at once', async () => {
  service.answer = (request, response) => { if (!request.url.includes('wait=')) ok(response, answerOf('v1')); };
  const sync = client();
  sync.onChange(() => {});
  await until('a wait', () => waits().length === 1);
  screen.show('hidden');
  await until('the wait to end', () => waits()[0].left);
  const before = service.requests.length;
  screen.show('visible');
  await until('the next wait', () => waits().length === 2);
  assert.equal(service.requests.length, before + 2);
  assert.equal(service.requests.at(-2).url, '/v1/entitlements');
});

test('a document that is hidden from the first asks nothing', async () => {
  screen.visibilityState = 'hidden';
  const told = [];
  client().onChange((answer) => told.push(answer.version));
  await client().entitlements(); // a question of its own is asked all the same
  assert.equal(service.requests.length, 1);
  assert.deepEqual(told, []);
  screen.show('visible');
  await until('the first answer', () => told.length === 1);
});

test('while following, a network that fails is told once as an old answer, and tried again', async () => {
  const waiting = [];
  service.answer = (request, response) => {
    if (request.url.includes('wait=')) held(response, waiting);
    else ok(response, answerOf('v1', ['icons-pro']));
  };
  const told = [];
  const errors = [];
  const sync = client();
  sync.onChange(({ stale, version }) => told.push(`${version} ${stale}`));
  sync.onError(({ code }) => errors.push(code));
  await until('a wait', () => waiting.length === 1);
  await service.away();
  await until('two failures', () => errors.length >= 2);
  assert.deepEqual(told, ['v1 false', 'v1 true']);
  assert.equal(errors[0], 'network');
  await service.back();
  await until('a current answer', () => told.length === 3);
  assert.equal(told[2], 'v1 false');
});

test('a kept answer whose time is over is told as nothing', async () => {
  const told = [];
  const sync = client({ keepSeconds: 0.2 });
  service.answer = (request, response) => { if (!request.url.includes('wait=')) ok(response, answerOf('v1', ['icons-pro'])); };
  sync.onChange((answer) => told.push(answer));
  await until('a wait', () => waits().length === 1);
  await service.away();
  await until('the end', () => told.at(-1).identity.state === 'unknown');
  assert.equal(told.at(-1).has('icons-pro'), false);
  assert.equal(told.at(-1).asOf, null);
});

test('Retry-After is kept to, and so it is when the document comes back', async () => {
  service.answer = (request, response) => problem(response, 503, 'unavailable', { 'Retry-After': '1' });
  const sync = client();
  let failures = 0;
  sync.onError(() => { failures += 1; });
  sync.onChange(() => {});
  await until('the first failure', () => failures === 1);
  screen.show('hidden');
  screen.show('visible');
  await until('the second', () => service.requests.length === 2);
  assert.ok(service.requests[1].at - service.requests[0].at >= 900);
});

test('failures that go on are asked about ever more rarely', async () => {
  service.answer = (request, response) => problem(response, 500, 'broken');
  client().onChange(() => {});
  await until('three requests', () => service.requests.length === 3);
  const [a, b, c] = service.requests.map(({ at }) => at);
  assert.ok(b - a >= 490 && c - b >= 990, `${b - a} ${c - b}`);
});

test('a server that answers every wait at once is not asked in a circle', async () => {
  service.answer = (request, response) => {
    if (!request.url.includes('wait=')) return ok(response, answerOf('v1'));
    response.writeHead(304);
    return response.end();
  };
  client().onChange(() => {});
  await until('some waits', () => waits().length === 4);
  const [a, , , d] = waits().map(({ at }) => at);
  assert.ok(d - a >= 1400, `${d - a} ms`); // after the second 0.5 s at least, after the third 1 s
});

test('without a tag it asks now and then', async () => {
  service.answer = (request, response) => { response.writeHead(200); response.end(JSON.stringify(answerOf('v1'))); };
  const told = [];
  client().onChange((answer) => told.push(answer));
  await until('the answer', () => told.length === 1);
  await until('a moment', () => performance.now() - service.requests[0].at > 300);
  assert.equal(service.requests.length, 1);
});

test('a listener that throws is not swallowed, and stops nobody', async () => {
  const thrown = [];
  globalThis.reportError = ({ message }) => thrown.push(message);
  const told = [];
  const sync = client();
  sync.onChange(() => { throw new Error('the panel is broken'); });
  sync.onChange((answer) => told.push(answer.version));
  await until('both', () => told.length === 1 && thrown.length === 1);
  assert.deepEqual(thrown, ['the panel is broken']);
});

test('why() tells the reason of one key', async () => {
  service.answer = (request, response) => {
    response.writeHead(200);
    response.end(JSON.stringify({ key: 'a/b ü', entitled: false, reason: 'refunded', expires_at: null }));
  };
  assert.equal((await client().why('a/b ü')).reason, 'refunded');
  assert.equal(service.requests[0].url, '/v1/entitlements/a%2Fb%20%C3%BC');
});

test('connect() opens the authorisation of the app', () => {
  assert.deepEqual(client().connect(), { url: `${service.api}/oauth/start`, opened: true });
  assert.equal(client({ app: 'second one' }).connect().url, `${service.api}/oauth/start?app=second%20one`);
  assert.equal(screen.opened[0].opener, null);
  screen.blocked = true;
  assert.equal(client().connect().opened, false);
});

test('buy() opens a window within the click, and sends it to the shop', async () => {
  service.answer = (request, response) => {
    response.writeHead(200);
    response.end(JSON.stringify({ reference: 'r-1', url: 'https://shop.example.com/buy?ref=r-1' }));
  };
  const buying = client().buy({ source: 'main-store', product: '10' });
  assert.equal(screen.opened[0].url, 'about:blank');
  assert.deepEqual(await buying, { reference: 'r-1', url: 'https://shop.example.com/buy?ref=r-1', opened: true });
  assert.equal(screen.opened[0].url, 'https://shop.example.com/buy?ref=r-1');
  assert.equal(screen.opened[0].opener, null);
  assert.deepEqual(service.requests[0].body, { source: 'main-store', product: '10' });
  screen.blocked = true;
  assert.equal((await client().buy({ source: 'main-store', product: '10' })).opened, false);
});

test('buy() leaves no empty window behind, and goes to no address that is a script', async () => {
  service.answer = (request, response) => problem(response, 404, 'unknown_product');
  await assert.rejects(client().buy({ source: 'main-store', product: '9' }), refused('unknown_product'));
  for (const [url, code] of [['javascript:alert(1)', 'strange_answer'], [null, null]]) {
    service.answer = (request, response) => { response.writeHead(200); response.end(JSON.stringify({ reference: 'r', url })); };
    const buying = client().buy({ source: 'main-store', product: '9' });
    if (code === null) assert.equal((await buying).opened, false);
    else await assert.rejects(buying, refused(code));
  }
  assert.deepEqual(screen.opened.map((tab) => tab.closed), [true, true, true]);
});

test('claim() asks for a code, and confirm() gives what it unlocked', async () => {
  let linked = false;
  service.answer = (request, response) => {
    if (request.url === '/v1/claims') { response.writeHead(202); return response.end(); }
    if (request.url === '/v1/claims/confirm') {
      if (request.body.code !== '12345678') return problem(response, 422, 'code_invalid');
      linked = true;
      response.writeHead(200);
      return response.end('{}');
    }
    return ok(response, linked ? answerOf('v2', ['icons-pro']) : answerOf('v1'));
  };
  const claim = await client().claim(' zoe@example.test ');
  assert.equal(claim.email, 'zoe@example.test');
  await assert.rejects(claim.confirm('00000000'), refused('code_invalid'));
  assert.equal((await claim.confirm('1234 5678')).has('icons-pro'), true);
  assert.deepEqual(service.requests[0].body, { email: 'zoe@example.test' });
  assert.deepEqual(service.requests[2].body, { email: 'zoe@example.test', code: '12345678' });
});

test('a code that is confirmed while following is news at once', async () => {
  let linked = false;
  service.answer = (request, response) => {
    if (request.method === 'POST') { linked = true; response.writeHead(200); return response.end('{}'); }
    if (request.url.includes('wait=')) return undefined;
    return ok(response, linked ? answerOf('v2', ['icons-pro']) : answerOf('v1'));
  };
  const told = [];
  const sync = client();
  sync.onChange((answer) => told.push(answer.version));
  await until('a wait', () => waits().length === 1);
  assert.equal((await (await sync.claim('zoe@example.test')).confirm('12345678')).version, 'v2');
  await until('the wait that follows', () => waits().length === 2);
  assert.deepEqual(told, ['v1', 'v2']);
  assert.equal(waits()[1].headers['if-none-match'], '"v2"');
});

test('a question from before the code is not the answer to it', async () => {
  const early = [];
  service.answer = (request, response) => {
    if (request.method === 'POST') { response.writeHead(request.url === '/v1/claims' ? 202 : 200); return response.end(); }
    if (early.length === 0) return held(response, early);
    return ok(response, answerOf('v2', ['icons-pro']));
  };
  const sync = client();
  const before = sync.entitlements();
  await until('the early question', () => early.length === 1);
  const claim = await sync.claim('zoe@example.test');
  const after = claim.confirm('12345678');
  await until('the code', () => service.requests.length === 3);
  ok(early[0], answerOf('v1'));
  assert.equal((await before).version, 'v1');
  assert.equal((await after).version, 'v2');
});

test('close() ends what is under way, and everything after', async () => {
  service.answer = () => {};
  const sync = client();
  const told = [];
  sync.onChange((answer) => told.push(answer));
  const asking = sync.entitlements();
  await until('the request', () => service.requests.length === 1);
  sync.close();
  await assert.rejects(asking, refused('closed'));
  await until('the request to end', () => service.requests[0].left);
  await assert.rejects(sync.has('icons-pro'), refused('closed'));
  screen.show('visible');
  assert.equal(service.requests.length, 1);
  assert.deepEqual(told, []);
});
