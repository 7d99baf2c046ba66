// The panel: galleries that are locked or not, as Purchase Sync says, and the ways to unlock them.

import { purchaseSync } from './purchase-sync.js';
import { claimForm } from './claim.js';
import { elementsOf } from './packs.js';
import { api, packs } from './settings.js';

const $ = (id) => document.getElementById(id);
const make = (tag, className, text = '') => Object.assign(document.createElement(tag), { className, textContent: text });

const sync = purchaseSync({ api });
const shown = new Map(); // a pack's key: its parts on the page
let known = null;

// ---- The board --------------------------------------------------------------------------------

const ELEMENT_WIDTH = 160;

async function place({ url, title }, x, y) {
  await miro.board.createImage({ url, title, x, y, width: ELEMENT_WIDTH });
  $('announce').textContent = `${title} is on the board.`;
}

async function placeInView(element) {
  const { x, y, width, height } = await miro.board.viewport.get();
  await place(element, x + width / 2, y + height / 2);
}

// ---- Galleries --------------------------------------------------------------------------------

const free = (pack) => pack.price === null;

function tileOf(element, pack) {
  const tile = make('button', 'tile');
  tile.type = 'button';
  const picture = Object.assign(new Image(), { src: element.url, alt: element.title, draggable: false });
  tile.append(picture);
  tile.addEventListener('click', () => {
    if (shown.get(pack.key).open) placeInView(element).catch(showTrouble);
    else shown.get(pack.key).buy.focus();
  });
  return { tile, picture, element };
}

async function buy(pack, { buy: button, note }) {
  button.classList.add('button-loading');
  button.disabled = true;
  try {
    const { opened, url } = await sync.buy(pack);
    note.textContent = url === null ? 'The shop has no address for this one yet.' : 'Finish in the shop’s window: this unlocks by itself.';
    if (url !== null && !opened) {
      const link = Object.assign(make('a', 'link link-primary', 'Open the shop'), { href: url, target: '_blank', rel: 'noopener' });
      note.replaceChildren('Your browser opened no window. ', link);
    }
  } catch (error) {
    note.textContent = error.message;
  } finally {
    note.hidden = false;
    button.classList.remove('button-loading');
    button.disabled = false;
  }
}

function addPack(pack) {
  const root = make('section', 'pack');
  root.dataset.key = pack.key;
  const title = make('h2', 'pack-title', pack.name);
  title.id = `pack-${pack.key}`;
  root.setAttribute('aria-labelledby', title.id);
  const badge = make('span', 'badge');
  const head = make('div', 'pack-head');
  head.append(title, badge);
  const grid = make('div', 'tiles');
  const tiles = elementsOf(pack.key).map((element) => tileOf(element, pack));
  grid.append(...tiles.map(({ tile }) => tile));
  const buyButton = make('button', 'button button-primary button-small', `Unlock for ${pack.price}`);
  buyButton.type = 'button';
  const note = Object.assign(make('p', 'pack-note p-small'), { hidden: true });
  note.setAttribute('role', 'status');
  root.append(head, grid, ...(free(pack) ? [] : [buyButton, note]));
  $('packs').append(root);
  const parts = { root, badge, tiles, buy: buyButton, note, open: null };
  buyButton.addEventListener('click', () => buy(pack, parts));
  shown.set(pack.key, parts);
}

const day = (text) => new Date(text).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });

function badgeOf(pack, entitlement) {
  if (free(pack)) return 'Free';
  if (entitlement === undefined) return `${shown.get(pack.key).tiles.length} elements`;
  if (entitlement.status === 'grace') return 'Payment is late';
  return entitlement.expires_at === null ? 'Unlocked' : `Until ${day(entitlement.expires_at)}`;
}

function showPack(pack, entitlement) {
  const parts = shown.get(pack.key);
  const open = free(pack) || entitlement !== undefined;
  const before = parts.open;
  parts.badge.textContent = badgeOf(pack, entitlement);
  parts.root.dataset.status = free(pack) ? 'free' : entitlement?.status ?? 'locked';
  if (open === before) return;
  parts.open = open;
  parts.root.dataset.state = open ? 'unlocked' : 'locked';
  parts.buy.hidden = open;
  parts.note.hidden = true;
  for (const { tile, picture, element } of parts.tiles) {
    picture.classList.toggle('miro-draggable', open);
    tile.title = open ? `${element.title}: drag it to the board` : `${element.title} is locked`;
    tile.setAttribute('aria-disabled', String(!open));
    tile.setAttribute('aria-label', open ? `Add ${element.title} to the board` : `${element.title}, locked`);
  }
  if (before === null || known === null) return;
  parts.root.classList.toggle('just', open);
  $('announce').textContent = `${pack.name} is now ${open ? 'unlocked' : 'locked'}.`;
}

// ---- What stands above ------------------------------------------------------------------------

const leads = {
  not_installed: {
    title: 'Connect your Miro account',
    text: 'Once is enough. What you bought with its e-mail address then unlocks by itself.',
    actions: ['connect'],
  },
  reauthorize: {
    title: 'Miro asks you to allow the app again',
    text: 'What is unlocked stays so. Connect again, so that new purchases find you.',
    actions: ['connect'],
  },
  no_email: {
    title: 'Bought already?',
    text: 'Miro does not tell us your e-mail address. Enter the one that you paid with. Buying from here works without.',
    actions: ['claim'],
  },
  unknown: {
    title: 'The licence service is away',
    text: 'Your purchases are safe. They unlock again as soon as it can be reached.',
    actions: ['retry'],
  },
};

function showLead(state) {
  const lead = leads[state];
  const notice = $('lead');
  notice.hidden = lead === undefined;
  notice.dataset.state = state;
  if (lead === undefined) return;
  notice.querySelector('h2').textContent = lead.title;
  notice.querySelector('p').textContent = lead.text;
  for (const action of ['connect', 'claim', 'retry']) $(`lead-${action}`).hidden = !lead.actions.includes(action);
}

const clock = (date) => date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

function show(answer) {
  const live = new Map(answer.entitlements.map((item) => [item.key, item]));
  for (const pack of packs) showPack(pack, live.get(pack.key));
  known = answer;
  showLead(answer.identity.state);
  $('stale').hidden = !answer.stale || answer.asOf === null;
  if (answer.asOf !== null) $('stale').textContent = `Offline. This is what was unlocked at ${clock(answer.asOf)}.`;
  if (!answer.stale) $('trouble').hidden = true;
  $('support').hidden = answer.support_code === undefined;
  $('support').querySelector('b').textContent = answer.support_code ?? '';
  $('packs').setAttribute('aria-busy', 'false');
}

// Only while there is nothing better to show: an old answer has a line of its own.
function showTrouble(error) {
  $('trouble').hidden = known?.stale === true;
  $('trouble').textContent = error.message;
  $('packs').setAttribute('aria-busy', 'false');
}

// ---- Beginning --------------------------------------------------------------------------------

function connect() {
  const { opened, url } = sync.connect();
  if (opened) return;
  const link = Object.assign(make('a', 'link link-primary', 'Open it here'), { href: url, target: '_blank', rel: 'noopener' });
  $('lead').querySelector('p').replaceChildren('Your browser opened no window. ', link);
}

packs.forEach(addPack);
for (const pack of packs) showPack(pack, undefined);
const openClaim = claimForm(sync, (email, answer) => {
  show(answer);
  $('announce').textContent = `${email} is confirmed.`;
});
$('lead-connect').addEventListener('click', connect);
$('lead-claim').addEventListener('click', openClaim);
$('lead-retry').addEventListener('click', () => sync.entitlements().then(show, showTrouble));
sync.onChange(show);
sync.onError(showTrouble);

await miro.board.ui.on('drop', ({ x, y, target }) => {
  for (const { open, tiles } of shown.values()) {
    const dropped = open ? tiles.find(({ picture }) => picture === target) : undefined;
    if (dropped !== undefined) place(dropped.element, x, y).catch(showTrouble);
  }
});
