// The page: who you are, the three steps, and the journal of what happened.

import { createPanel } from './panel.js';
import { purchaseSync } from './purchase-sync.js';
import { drawn, drawing } from './shapes.js';

const $ = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const money = (text) => `$${text}`;
const JOURNAL_MOST = 40;
const WAIT_S = 25;

const state = { person: null, identity: null, version: 0, orders: [], events: [], deliveries: [], asked: new Map() };
let setup = null;
let panel = null;
let sync = null;

async function ask(path, body) {
  const answer = await fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store',
  });
  const tree = await answer.json();
  if (!answer.ok) throw new Error(tree.detail ?? `The sandbox answered ${answer.status}.`);
  return tree;
}

// ---- The journal ------------------------------------------------------------------------------

function note(kind, text, detail = '') {
  state.events.push({ at: Date.now(), kind, text, detail });
  if (state.events.length > JOURNAL_MOST) state.events.shift();
  showJournal();
}

const outcomes = {
  stored: 'stored',
  duplicate: 'known already',
  ping: 'ping answered',
};

function deliveryEntry(delivery) {
  const text = delivery.topic === 'ping'
    ? 'Shop greets the webhook'
    : `Shop sends ${delivery.topic}${delivery.order ? ` #${delivery.order}` : ''}`;
  const good = delivery.state === 'answered' && delivery.status === 200;
  const detail = delivery.state === 'answered'
    ? `${delivery.status} ${outcomes[delivery.result] ?? delivery.result ?? ''} · ${delivery.milliseconds} ms`
    : delivery.state === 'failed' ? 'no answer' : delivery.state === 'dropped' ? 'lost on the way' : 'on its way';
  const kind = good ? 'sent' : delivery.state === 'waiting' || delivery.state === 'sent' ? 'open' : 'bad';
  return { at: Date.parse(delivery.at), kind, text, detail };
}

function showJournal() {
  const entries = [...state.deliveries.map(deliveryEntry), ...state.events]
    .sort((a, b) => b.at - a.at)
    .slice(0, JOURNAL_MOST);
  $('journal-empty').hidden = entries.length > 0;
  $('journal').replaceChildren(...entries.map((entry) => {
    const row = make('li', `entry ${entry.kind}`);
    const time = make('time', '', new Date(entry.at).toLocaleTimeString('en-GB'));
    time.dateTime = new Date(entry.at).toISOString();
    row.append(time, make('span', 'entry-text', entry.text), make('span', 'entry-detail', entry.detail));
    return row;
  }));
}

// ---- Step 1: install --------------------------------------------------------------------------

function showInstall() {
  const installed = state.identity === 'linked' || state.identity === 'no_email';
  const step = $('step-install');
  step.dataset.state = installed ? 'done' : state.identity === null ? 'idle' : 'now';
  $('install').textContent = installed ? 'Install again' : 'Install in Miro';
  $('install').className = installed ? 'button' : 'button primary';
  $('install-done').hidden = !installed;
  $('install-done').textContent = `Installed for ${state.person?.name ?? ''}`;
}

// ---- Step 2: buy ------------------------------------------------------------------------------

const shop = () => setup.shops[0];
const mine = (order) => order.email.trim().toLowerCase() === $('email').value.trim().toLowerCase();
const paid = (order) => order.status === 'completed' || order.status === 'processing';

async function buy(product, button) {
  const email = $('email');
  $('buy-problem').hidden = true;
  if (!email.reportValidity()) return;
  button.disabled = true;
  button.textContent = 'Paying…';
  state.asked.set(product.unlocks, performance.now());
  note('act', `You buy ${product.name}`, money(product.price));
  try {
    const [first, ...rest] = state.person.name.split(' ');
    await ask('/sandbox/api/orders', {
      source: shop().source,
      email: email.value.trim(),
      first_name: first,
      last_name: rest.join(' '),
      items: [{ product: product.id, quantity: 1 }],
      pay: true,
    });
  } catch (error) {
    $('buy-problem').textContent = error.message;
    $('buy-problem').hidden = false;
  }
  button.textContent = 'Buy';
  button.disabled = false;
}

function addProduct(product) {
  const card = make('li', 'product');
  const art = make('div', 'art');
  for (const [, parts] of drawn(product.unlocks).slice(0, 3)) art.append(drawing(parts));
  const buyButton = make('button', 'button primary', 'Buy');
  buyButton.type = 'button';
  buyButton.dataset.buy = product.unlocks;
  buyButton.setAttribute('aria-label', `Buy ${product.name} for ${money(product.price)}`);
  buyButton.addEventListener('click', () => buy(product, buyButton));
  const foot = make('div', 'product-foot');
  foot.append(make('strong', 'price', money(product.price)), buyButton);
  card.dataset.unlocks = product.unlocks;
  card.append(art, make('h3', '', product.name), make('p', '', product.about), make('span', 'owned'), foot);
  $('products').append(card);
}

function showOwned(keys) {
  for (const card of $('products').children) {
    const owned = keys.has(card.dataset.unlocks);
    card.dataset.state = owned ? 'unlocked' : 'locked';
    card.querySelector('.owned').textContent = owned ? 'Unlocked in Miro' : '';
  }
}

// ---- Step 3: refund ---------------------------------------------------------------------------

async function refund(order, button) {
  button.disabled = true;
  button.textContent = 'Refunding…';
  for (const line of order.lines) if (line.unlocks) state.asked.set(line.unlocks, performance.now());
  note('act', `You refund order #${order.id}`, money(order.total));
  try {
    await ask(`/sandbox/api/orders/${order.id}/refund`, { source: order.source, all: true, reason: 'Demo' });
  } catch (error) {
    note('bad', 'The refund failed', error.message);
    button.disabled = false;
    button.textContent = 'Refund';
  }
}

function orderRow(order) {
  const row = make('li', 'order');
  row.dataset.order = order.id;
  row.dataset.state = order.status;
  const text = make('div', 'order-text');
  text.append(make('strong', '', `#${order.id} ${order.lines.map((line) => line.name).join(', ')}`));
  text.append(make('span', 'quiet', `${order.email} · ${money(order.total)}`));
  row.append(text);
  if (paid(order)) {
    const button = make('button', 'button danger', 'Refund');
    button.type = 'button';
    button.dataset.refund = order.id;
    button.setAttribute('aria-label', `Refund order ${order.id}`);
    button.addEventListener('click', () => refund(order, button));
    row.append(button);
  } else {
    row.append(make('span', 'order-state', order.status === 'refunded' ? 'Refunded' : order.status));
  }
  return row;
}

function showOrders() {
  const orders = state.orders.slice(0, 8);
  $('orders').replaceChildren(...orders.map(orderRow));
  const bought = state.orders.some((order) => mine(order) && paid(order));
  const refunded = state.orders.some((order) => mine(order) && order.status === 'refunded');
  const installed = state.identity === 'linked' || state.identity === 'no_email';
  $('step-buy').dataset.state = bought || refunded ? 'done' : installed ? 'now' : 'idle';
  $('step-refund').dataset.state = refunded && !bought ? 'done' : bought ? 'now' : 'idle';
}

// ---- The panel and the news -------------------------------------------------------------------

function showAnswer(answer) {
  const memory = `identity ${state.person.id}`;
  const before = sessionStorage.getItem(memory);
  state.identity = answer.identity.state;
  sessionStorage.setItem(memory, state.identity);
  panel.show(answer, state.person.name);
  $('answer').textContent = `200 · version ${answer.version?.slice(0, 8) ?? 'unknown'}`;
  showLive(answer.stale ? 'retrying' : 'live');
  if (before === 'not_installed' && state.identity !== before) note('good', 'Miro told the service who you are', state.identity === 'linked' ? 'e-mail linked' : 'no e-mail shared');
  showInstall();
  showOrders();
}

function changed(key, title, open) {
  const asked = state.asked.get(key);
  const took = asked === undefined ? '' : `${((performance.now() - asked) / 1000).toFixed(1)} s after you clicked`;
  state.asked.delete(key);
  note(open ? 'good' : 'locked', `${title} ${open ? 'unlocks' : 'locks'} in the plugin`, took);
}

function showLive(kind, message) {
  $('live').dataset.state = kind;
  $('live-text').textContent = kind === 'live' ? 'Live' : 'Reconnecting';
  if (message) $('answer').textContent = message;
}

function become(person) {
  sync?.close();
  state.person = person;
  state.identity = null;
  state.asked.clear();
  sessionStorage.setItem('person', person.id);
  document.cookie = `sandbox_user=${person.id}; path=/; SameSite=Lax`;
  $('email').value = person.email ?? '';
  $('identity').dataset.state = 'unknown';
  $('identity').textContent = 'Asking who you are…';
  panel.forget();
  showInstall();
  showOrders();
  let asked = 0;
  sync = purchaseSync({
    api: setup.public_url,
    storage: null, // people change places here
    async getIdToken() {
      asked += 1;
      if (asked > 1) note('act', 'Plugin asks Miro for a fresh idToken');
      return (await ask('/sandbox/api/id-token', { user: person.id, team: person.teams[0].id })).token;
    },
  });
  sync.onChange(showAnswer);
  sync.onError((error) => showLive('retrying', error.message));
}

async function followNews() {
  for (;;) {
    try {
      const news = await ask(`/sandbox/api/activity?since=${state.version}&wait=${WAIT_S}`);
      state.version = news.version;
      state.deliveries = news.deliveries;
      state.orders = news.orders;
      showOrders();
      showJournal();
    } catch {
      await new Promise((resolve) => { setTimeout(resolve, 2000); });
    }
  }
}

async function begin() {
  setup = await ask('/sandbox/api/state');
  const select = $('person');
  for (const person of setup.users) {
    const mark = person.email === null ? ', no e-mail' : person.state && person.state !== 'registered' ? `, ${person.state.replace('_', ' ')}` : '';
    const option = make('option', '', `${person.name}${mark}`);
    option.value = person.id;
    select.append(option);
  }
  const stored = sessionStorage.getItem('person');
  const person = setup.users.find(({ id }) => id === stored) ?? setup.users[0];
  select.value = person.id;
  select.disabled = false;
  select.addEventListener('change', () => become(setup.users.find(({ id }) => id === select.value)));
  $('email').addEventListener('input', showOrders);
  shop().products.filter((product) => product.unlocks).forEach(addProduct);
  panel = createPanel({
    products: shop().products,
    canvas: $('canvas'),
    announce: (text) => { $('announce').textContent = text; },
    onChange: changed,
    onShown: showOwned,
  });
  $('install').href = `${setup.public_url}/oauth/start`;
  $('install').removeAttribute('aria-disabled');
  become(person);
  followNews();
}

begin();
