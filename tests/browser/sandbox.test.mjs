// What the stand-ins promise: a Miro and a WooCommerce that behave as the real ones do, and faults on order.
// The last line is "N passed, N failed".

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { startDemo, turn } from './deployment.mjs';
import { runStory } from './story.mjs';

const CLIENT = '3074457363680401096';
const ZOE = '3458764514838398337';
const ACME = '3458764514838398336';
const NORTH = '3458764514838398400';
const GRACE = '3458764514838398343';
const FREE = '3458764514838398401';

const read = async (answer) => ({ status: answer.status, headers: answer.headers, json: await answer.json().catch(() => null) });
const form = (fields) => ({ method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' });
const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });

async function until(what, probe) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await probe();
    if (found) return found;
    assert.ok(Date.now() < deadline, `waited too long for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 20); });
  }
}

class Miro {
  constructor(demo, secret) {
    this.demo = demo;
    this.secret = secret;
    this.redirect = `${demo.public}/oauth/callback`;
  }

  authorizeUrl(changes = {}) {
    const query = { response_type: 'code', client_id: CLIENT, redirect_uri: this.redirect, state: 's-1', ...changes };
    return `${this.demo.sandbox}/oauth/authorize?${new URLSearchParams(query)}`;
  }

  async decide(fields, changes) {
    const answer = await fetch(this.authorizeUrl(changes), form(fields));
    const location = answer.headers.get('location');
    return { status: answer.status, url: location === null ? null : new URL(location) };
  }

  async code(user = ZOE, team = ACME) {
    const { url } = await this.decide({ user, team, decision: 'allow' });
    return url.searchParams.get('code');
  }

  async token(fields, place = 'body') {
    const all = { client_id: CLIENT, client_secret: this.secret, ...fields };
    const url = `${this.demo.sandbox}/v1/oauth/token`;
    return read(await (place === 'body' ? fetch(url, form(all)) : fetch(`${url}?${new URLSearchParams(all)}`, { method: 'POST' })));
  }

  exchange(code, changes, place) {
    return this.token({ grant_type: 'authorization_code', code, redirect_uri: this.redirect, ...changes }, place);
  }

  refresh(token) {
    return this.token({ grant_type: 'refresh_token', refresh_token: token });
  }

  async profile(token) {
    return read(await fetch(`${this.demo.sandbox}/v1/users/me`, bearer(token)));
  }

  async install(user, team) {
    return (await this.exchange(await this.code(user, team))).json;
  }
}

class Shop {
  constructor(demo, key) {
    this.demo = demo;
    [this.key, this.secret] = key.split(':');
  }

  get basic() {
    return { Authorization: `Basic ${Buffer.from(`${this.key}:${this.secret}`).toString('base64')}` };
  }

  async get(path, headers = this.basic) {
    return read(await fetch(`${this.demo.sandbox}/wp-json/wc/v3/${path}`, { headers }));
  }

  // OAuth 1.0a as RFC 5849 has it.
  async signed(path, query, secret = this.secret, changes = {}) {
    const url = `${this.demo.sandbox}/wp-json/wc/v3/${path}`;
    const all = { ...query, oauth_consumer_key: this.key, oauth_nonce: String(Math.random()), oauth_signature_method: 'HMAC-SHA256', oauth_timestamp: String(Math.floor(Date.now() / 1000)), ...changes };
    const code = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
    const pairs = Object.entries(all).map(([name, value]) => `${code(name)}=${code(value)}`).sort().join('&');
    const mac = createHmac('sha256', `${secret}&`).update(`GET&${code(url)}&${code(pairs)}`).digest('base64');
    return read(await fetch(`${url}?${new URLSearchParams({ ...all, oauth_signature: mac })}`));
  }

  order(fields = {}) {
    return turn(this.demo, 'orders', { email: 'zoe@example.test', items: [{ product: 10 }], ...fields });
  }

  turn(order, verb, fields = {}) {
    return turn(this.demo, `orders/${order.id}/${verb}`, fields);
  }

  async deliveries(order) {
    return (await (await fetch(`${this.demo.sandbox}/sandbox/api/deliveries?order=${order.id}`)).json()).deliveries;
  }

  settled(order, count) {
    return until(`${count} deliveries`, async () => {
      const all = await this.deliveries(order);
      return all.length === count && all.every(({ state }) => state !== 'waiting' && state !== 'sent') && all;
    });
  }

  async hook(topic) {
    const all = (await (await fetch(`${this.demo.sandbox}/sandbox/api/webhooks`)).json()).webhooks;
    return all.find((hook) => hook.topic === topic);
  }
}

const story = [
  ['authorize refuses what is not the app\'s, to the letter', async ({ miro }) => {
    for (const changes of [{ response_type: 'token' }, { client_id: '1' }, { redirect_uri: `${miro.redirect}/` }]) {
      const answer = await fetch(miro.authorizeUrl(changes), { redirect: 'manual' });
      assert.equal(answer.status, 400);
      assert.match(answer.headers.get('content-type'), /^text\/html/);
    }
  }],
  ['the redirect back carries code, state, client and team; state only when one was sent', async ({ miro }) => {
    const { status, url } = await miro.decide({ user: ZOE, team: NORTH, decision: 'allow' });
    assert.equal(status, 302);
    assert.deepEqual([...url.searchParams.keys()], ['code', 'state', 'client_id', 'team_id']);
    assert.equal(url.searchParams.get('team_id'), NORTH);
    const bare = await miro.decide({ user: ZOE, team: ACME, decision: 'allow' }, { state: '' });
    assert.deepEqual([...bare.url.searchParams.keys()], ['code', 'client_id', 'team_id']);
  }],
  ['denial is access_denied, and a stranger\'s team cannot be chosen', async ({ miro }) => {
    const { url } = await miro.decide({ decision: 'deny' });
    assert.equal(url.search, '?error=access_denied&state=s-1');
    assert.equal((await miro.decide({ user: ZOE, team: FREE, decision: 'allow' })).status, 400);
  }],
  ['installs that Miro starts have no state', async ({ miro, demo }) => {
    const answer = await fetch(`${demo.sandbox}/app-install/?client_id=${CLIENT}`, { redirect: 'manual' });
    const url = new URL(answer.headers.get('location'), demo.sandbox);
    assert.equal(url.pathname, '/oauth/authorize');
    assert.equal(url.searchParams.has('state'), false);
  }],
  ['a code is exchanged once, with parameters in the body or in the query', async ({ miro }) => {
    const code = await miro.code();
    const { status, json } = await miro.exchange(code);
    assert.equal(status, 200);
    assert.deepEqual([json.user_id, json.team_id, json.expires_in, json.token_type], [ZOE, ACME, 3599, 'bearer']);
    const again = await miro.exchange(code);
    assert.equal(again.status, 401);
    assert.deepEqual(again.json, { status: 401, code: 'oauthError', message: 'Invalid authorization code', type: 'error' });
    assert.equal((await miro.exchange(await miro.code(), {}, 'query')).status, 200);
  }],
  ['an exchange needs the right secret and redirect URI', async ({ miro }) => {
    assert.equal((await miro.exchange(await miro.code(), { client_secret: 'no' })).status, 401);
    const mismatch = await miro.exchange(await miro.code(), { redirect_uri: 'http://127.0.0.1/' });
    assert.equal(mismatch.json.message, 'Redirect URI mismatch.');
    assert.equal((await miro.token({})).status, 400);
  }],
  ['codes end', async ({ miro, demo }) => {
    await turn(demo, 'miro', { code_seconds: 1 });
    const code = await miro.code();
    await turn(demo, 'miro', { code_seconds: 600 });
    const began = Date.now();
    await until('the end of the code', () => Date.now() > began + 1100);
    assert.equal((await miro.exchange(code)).status, 401);
  }],
  ['refreshing rotates both tokens, with a numeric team and no user', async ({ miro }) => {
    const first = await miro.install(ZOE, NORTH);
    const answer = await fetch(`${miro.demo.sandbox}/v1/oauth/token`, form({ grant_type: 'refresh_token', client_id: CLIENT, client_secret: miro.secret, refresh_token: first.refresh_token }));
    const text = await answer.text();
    assert.match(text, new RegExp(`"team_id":${NORTH}[,}]`)); // past 2^53: read as text
    const second = JSON.parse(text);
    assert.equal('user_id' in second, false);
    assert.equal((await miro.refresh(first.refresh_token)).status, 401);
    assert.equal((await miro.profile(first.access_token)).status, 401);
    assert.equal((await miro.profile(second.access_token)).json.email, 'zoe@example.test');
  }],
  ['tokens that do not expire come alone', async ({ miro }) => {
    const tokens = await miro.install(GRACE, FREE);
    assert.equal('refresh_token' in tokens || 'expires_in' in tokens, false);
  }],
  ['expires_in, team_id and the profile can be told otherwise', async ({ miro, demo }) => {
    await turn(demo, 'miro', { expires_in: 0, team_as_number: true, no_refresh_token: true, profile_as: GRACE });
    const tokens = await miro.install(ZOE, ACME);
    assert.equal(tokens.expires_in, 0);
    assert.equal(typeof tokens.team_id, 'number');
    assert.equal('refresh_token' in tokens, false);
    assert.equal((await miro.profile(tokens.access_token)).json.id, GRACE);
    await turn(demo, 'miro', { expires_in: 'truth', team_as_number: false, no_refresh_token: false, profile_as: null });
  }],
  ['expiry, revocation and uninstalling end tokens', async ({ miro, demo }) => {
    const expired = await miro.install();
    await turn(demo, 'expire', { user: ZOE });
    assert.equal((await miro.profile(expired.access_token)).status, 401);
    const { json: fresh } = await miro.refresh(expired.refresh_token);
    const revoke = (body) => fetch(`${demo.sandbox}/v2/oauth/revoke`, { method: 'POST', body: JSON.stringify(body) });
    const all = { accessToken: fresh.access_token, clientId: CLIENT, clientSecret: miro.secret };
    assert.equal((await revoke({ ...all, clientSecret: 'no' })).status, 401);
    assert.equal((await revoke(all)).status, 204);
    assert.equal((await revoke(all)).status, 404);
    assert.equal((await miro.refresh(fresh.refresh_token)).status, 401);
    const old = await miro.install();
    const v1 = () => fetch(`${demo.sandbox}/v1/oauth/revoke?access_token=${old.access_token}`, { method: 'POST' });
    assert.deepEqual([(await v1()).status, (await v1()).status], [204, 400]);
    const last = await miro.install();
    await turn(demo, 'uninstall', { user: ZOE, team: ACME });
    assert.equal((await miro.profile(last.access_token)).status, 401);
  }],
  ['token info names the person and has no address', async ({ miro, demo }) => {
    const tokens = await miro.install();
    const { json } = await read(await fetch(`${demo.sandbox}/v1/oauth-token`, bearer(tokens.access_token)));
    assert.equal(json.user.id, ZOE);
    assert.equal(JSON.stringify(json).includes('@'), false);
    assert.equal((await read(await fetch(`${demo.sandbox}/v1/oauth-token`))).status, 401);
  }],
  ['profiles come in every state', async ({ miro, demo }) => {
    const { users } = await (await fetch(`${demo.sandbox}/sandbox/api/users`)).json();
    const told = [];
    for (const { id, teams } of users) {
      const { json } = await miro.profile((await miro.install(id, teams[0].id)).access_token);
      assert.equal(json.id, id);
      told.push(json.email === undefined ? 'no e-mail' : json.state ?? 'no state');
    }
    assert.deepEqual([...new Set(told)].sort(), ['deleted', 'no e-mail', 'no state', 'not_registered', 'registered']);
    const ours = await turn(demo, 'users', { id: '9223372036854775807', name: 'Ida', email: 'ida@example.test', state: 'temporary', teams: ['77'] });
    assert.equal((await miro.profile((await miro.install(ours.id, '77')).access_token)).json.state, 'temporary');
  }],
  ['calls over the limit get 429 with the limits, and so do calls that a fault hits', async ({ miro, demo }) => {
    const tokens = await miro.install();
    await turn(demo, 'miro', { rate_limit: 0 });
    const over = await miro.profile(tokens.access_token);
    await turn(demo, 'miro', { rate_limit: 100000 });
    assert.equal(over.status, 429);
    assert.deepEqual(over.json, { status: 429, code: 'tooManyRequests', message: 'Request rate limit exceed', context: null, type: 'error' });
    for (const name of ['limit', 'remaining', 'reset']) assert.match(over.headers.get(`x-ratelimit-${name}`), /^\d+$/);
    await turn(demo, 'faults', { miro_calls: 1, miro_status: 503 });
    assert.equal((await miro.profile(tokens.access_token)).status, 503);
    assert.equal((await miro.profile(tokens.access_token)).status, 200);
  }],

  ['an order is created with two deliveries of one body, and paid with a third', async ({ shop }) => {
    const order = await shop.order({ items: [{ product: 10 }, { product: 11, quantity: 3 }], first_name: 'Zoë' });
    const paid = await shop.turn(order, 'pay');
    const all = await shop.settled(order, 3);
    assert.deepEqual(all.map(({ topic }) => topic), ['order.created', 'order.updated', 'order.updated']);
    assert.ok(all.every(({ status }) => status === 200));
    assert.equal(all[0].bytes, all[1].bytes);
    assert.deepEqual([order.status, paid.status, paid.total], ['pending', 'completed', '79.00']);
  }],
  ['refunds take lines, an amount, or all; and only the last changes the status', async ({ shop }) => {
    const order = await shop.order({ items: [{ product: 10 }, { product: 11, quantity: 3 }], pay: true });
    const line = order.line_items[1].id;
    const part = await shop.turn(order, 'refund', { lines: [{ line, quantity: 2 }], reason: 'two back' });
    assert.deepEqual([part.status, part.refunds[0].total], ['completed', '-20.00']);
    await shop.turn(order, 'refund', { amount: '5.00' });
    await assert.rejects(shop.turn(order, 'refund', { lines: [{ line, quantity: 2 }] }), /more than was bought/);
    const all = await shop.turn(order, 'refund', { all: true });
    assert.deepEqual([all.status, all.refunds.map(({ total }) => total)], ['refunded', ['-54.00', '-5.00', '-20.00']]);
    const { json } = await shop.get(`orders/${order.id}/refunds`);
    assert.deepEqual(json.map((refund) => refund.line_items.map((item) => [item.quantity, item.meta_data[0].value])), [[], [], [[-2, String(line)]]]);
    const fewer = await shop.turn(order, 'drop-refund', { refund: json[0].id });
    assert.equal(fewer.refunds.length, 2);
  }],
  ['the trash tells an id alone, restoring tells twice, deleting is for good', async ({ shop }) => {
    const order = await shop.order({ pay: true });
    await shop.settled(order, 3);
    await shop.turn(order, 'trash');
    assert.equal((await shop.get(`orders/${order.id}`)).json.status, 'trash');
    const restored = await shop.turn(order, 'restore');
    assert.equal(restored.status, 'completed');
    await assert.rejects(shop.turn(order, 'restore'), /not in the trash/);
    await shop.turn(order, 'delete');
    const all = await shop.settled(order, 7);
    assert.deepEqual(all.slice(3).map(({ topic }) => topic), ['order.deleted', 'order.restored', 'order.updated', 'order.deleted']);
    assert.equal(all[3].bytes, `{"id":${order.id}}`.length);
    const gone = await shop.get(`orders/${order.id}`);
    assert.deepEqual([gone.status, gone.json.code], [404, 'woocommerce_rest_shop_order_invalid_id']);
  }],
  ['staff can correct, anonymise and annotate', async ({ shop }) => {
    const order = await shop.order({ reference: 'r-1' });
    assert.deepEqual(order.meta_data.map(({ key, value }) => [key, value]), [['miro_reference', 'r-1']]);
    assert.equal((await shop.turn(order, 'email', { email: 'Ben@Example.Test' })).billing.email, 'Ben@Example.Test');
    const noted = await shop.turn(order, 'meta', { key: 'k', value: 'v' });
    assert.equal(noted.date_modified_gmt, (await shop.get(`orders/${order.id}`)).json.date_modified_gmt);
    assert.equal((await shop.turn(order, 'anonymise')).billing.email, 'deleted@site.invalid');
    assert.equal((await shop.turn(order, 'status', { status: 'on-hold' })).status, 'on-hold');
    await assert.rejects(shop.turn(order, 'status', { status: 'nonsense' }), /400/);
  }],
  ['REST v3 pages, sorts and filters, on two clocks', async ({ shop }) => {
    const all = await shop.get('orders?per_page=100&orderby=id&order=asc');
    const seen = [];
    let page = 1;
    let answer;
    do {
      answer = await shop.get(`orders?per_page=2&orderby=modified&order=asc&page=${page}`);
      seen.push(...answer.json.map(({ id }) => id));
      page += 1;
    } while (/rel="next"/.test(answer.headers.get('link') ?? ''));
    assert.deepEqual([...seen].sort((a, b) => a - b), all.json.map(({ id }) => id));
    assert.equal(answer.headers.get('x-wp-total'), String(seen.length));
    const now = new Date(Date.now() - 3600_000).toISOString().slice(0, 19);
    assert.equal((await shop.get(`orders?modified_after=${now}&dates_are_gmt=true&per_page=100`)).json.length, seen.length);
    const last = all.json.at(-1);
    assert.notEqual(last.date_modified, last.date_modified_gmt);
    const later = new Date(Date.now() + 3600_000).toISOString().slice(0, 19);
    assert.equal((await shop.get(`orders?modified_after=${later}&per_page=100`)).json.length, seen.length); // local time!
    assert.equal((await shop.get(`orders?modified_after=${later}&dates_are_gmt=1`)).json.length, 0);
    assert.equal((await shop.get('orders?per_page=101')).json.code, 'rest_invalid_param');
    assert.equal((await shop.get('nonsense')).json.code, 'rest_no_route');
  }],
  ['the API wants its key: Basic, in the query, or signed, and each signature once', async ({ shop }) => {
    assert.equal((await shop.get('orders', {})).json.code, 'woocommerce_rest_cannot_view');
    assert.equal((await shop.get('orders', { Authorization: 'Basic eDp5' })).json.code, 'woocommerce_rest_authentication_error');
    assert.equal((await shop.get(`orders?consumer_key=${shop.key}&consumer_secret=${shop.secret}`, {})).status, 200);
    assert.equal((await shop.signed('orders', { 'status[0]': 'any', search: "a b&c='(é)" })).status, 200);
    assert.equal((await shop.signed('orders', {}, 'wrong')).status, 401);
    assert.equal((await shop.signed('orders', {}, shop.secret, { oauth_timestamp: '1' })).status, 401);
    const nonce = { oauth_nonce: 'one' };
    assert.equal((await shop.signed('orders', {}, shop.secret, nonce)).status, 200);
    const fixed = { oauth_nonce: 'two', oauth_timestamp: String(Math.floor(Date.now() / 1000)) };
    assert.equal((await shop.signed('orders', {}, shop.secret, fixed)).status, 200);
    assert.match((await shop.signed('orders', {}, shop.secret, fixed)).json.message, /nonce/);
  }],
  ['REST v3 writes as the knobs do', async ({ shop, demo }) => {
    const send = async (method, path, body) => read(await fetch(`${demo.sandbox}/wp-json/wc/v3/${path}`, { method, headers: shop.basic, body: body && JSON.stringify(body) }));
    const made = await send('POST', 'orders', { billing: { email: 'x@example.test' }, line_items: [{ product_id: 12, quantity: 1 }], set_paid: true });
    assert.deepEqual([made.status, made.json.status], [201, 'completed']);
    const refund = await send('POST', `orders/${made.json.id}/refunds`, { amount: '9.00' });
    assert.deepEqual([refund.status, refund.json.amount], [201, '9.00']);
    assert.equal((await send('GET', `orders/${made.json.id}/refunds/${refund.json.id}`)).json.amount, '9.00');
    assert.equal((await send('DELETE', `orders/${made.json.id}/refunds/${refund.json.id}`)).status, 200);
    assert.equal((await send('PUT', `orders/${made.json.id}`, { status: 'cancelled' })).json.status, 'cancelled');
    assert.equal((await send('DELETE', `orders/${made.json.id}?force=true`)).status, 200);
    assert.equal((await send('GET', `orders/${made.json.id}`)).status, 404);
    assert.equal((await send('POST', 'orders', { line_items: [] })).status, 400);
    assert.equal((await send('GET', 'refunds')).status, 200);
  }],
  ['a firewall answers in HTML when a fault says so', async ({ shop, demo }) => {
    await turn(demo, 'faults', { shop_calls: 1, shop_status: 429 });
    const { status, headers } = await shop.get('orders');
    assert.equal(status, 429);
    assert.match(headers.get('content-type'), /^text\/html/);
    assert.equal((await shop.get('orders')).status, 200);
  }],
  ['deliveries can be dropped, sent late, doubled, and sent again', async ({ shop, demo }) => {
    const order = await shop.order();
    await shop.settled(order, 2);
    await turn(demo, 'faults', { drop: 1 });
    await shop.turn(order, 'pay');
    assert.equal((await shop.settled(order, 3))[2].state, 'dropped');
    await turn(demo, 'deliveries/redeliver', { dropped: true });
    assert.equal((await shop.settled(order, 3))[2].status, 200);
    await turn(demo, 'faults', { duplicate: 1 });
    await shop.turn(order, 'meta', { key: 'k', value: '1' });
    assert.deepEqual((await shop.settled(order, 5)).slice(3).map(({ result }) => result).sort(), ['duplicate', 'stored']);
    await turn(demo, 'faults', { delay: 1, delay_ms: 300 });
    await shop.turn(order, 'meta', { key: 'k', value: '2' });
    assert.equal((await shop.deliveries(order))[5].state, 'waiting');
    const all = await shop.settled(order, 6);
    await turn(demo, 'deliveries/redeliver', { id: all[5].id });
    assert.equal((await shop.settled(order, 7))[6].result, 'duplicate');
  }],
  ['the signed error body is delivered in place of the order', async ({ shop, demo }) => {
    const order = await shop.order();
    await turn(demo, 'faults', { cannot_view: 1 });
    await shop.turn(order, 'meta', { key: 'k', value: 'v' });
    const all = await shop.settled(order, 3);
    assert.deepEqual([all[2].status, all[2].bytes < 200], [200, true]);
  }],
  ['six failures in a row are borne, the seventh disables the webhook; saving it greets the front', async ({ shop, demo }) => {
    const order = await shop.order();
    await shop.settled(order, 2);
    await turn(demo, 'faults', { corrupt: 7 });
    for (let i = 1; i <= 7; i += 1) {
      await shop.turn(order, 'meta', { key: 'k', value: String(i) });
      assert.equal((await shop.settled(order, 2 + i)).at(-1).result, 'signature_invalid');
      assert.equal((await shop.hook('order.updated')).status, i < 7 ? 'active' : 'disabled');
    }
    await shop.turn(order, 'meta', { key: 'k', value: '8' });
    assert.equal((await shop.deliveries(order)).length, 9);
    assert.equal((await shop.get('webhooks')).json.find(({ topic }) => topic === 'order.updated').status, 'disabled');
    await turn(demo, 'webhooks/save', {});
    assert.deepEqual((({ status, failures }) => [status, failures])(await shop.hook('order.updated')), ['active', 0]);
  }],
  ['any body can be signed and sent', async ({ demo, shop }) => {
    await turn(demo, 'deliveries/send', { source: 'main-store', body: '{"id":987654}', topic: 'order.deleted' });
    const last = async () => (await (await fetch(`${demo.sandbox}/sandbox/api/deliveries`)).json()).deliveries.at(-1);
    await until('the answer', async () => (await last()).status === 200);
    await assert.rejects(turn(demo, 'deliveries/send', { source: 'nobody', body: '{}' }), /400/);
    assert.ok(shop);
  }],
  ['pages of other sites can neither read by a name of theirs nor change anything', async ({ demo }) => {
    const { request } = await import('node:http');
    const ask = (options, body) => new Promise((resolve, reject) => {
      request(`${demo.sandbox}/sandbox/api/users`, options, (answer) => { answer.resume(); resolve(answer.statusCode); })
        .on('error', reject).end(body);
    });
    const json = { 'Content-Type': 'application/json' };
    assert.equal(await ask({ headers: { Host: 'evil.example' } }), 421);
    assert.equal(await ask({ method: 'POST', headers: { ...json, Origin: 'http://evil.example' } }, '{}'), 403);
    assert.equal(await ask({ method: 'POST', headers: { 'Content-Type': 'text/plain' } }, '{}'), 415);
    assert.equal(await ask({ method: 'POST', headers: json }, '{'), 400);
    assert.equal(await ask({ method: 'PUT', headers: json }, '{}'), 405);
  }],
];

await runStory(story, async () => {
  const demo = await startDemo();
  const etc = dirname(demo.config);
  const secret = (name) => readFileSync(join(etc, name), 'utf8').trim();
  return { demo, miro: new Miro(demo, secret('miro.secret')), shop: new Shop(demo, secret('main-store.key')), end: () => demo.stop() };
});
