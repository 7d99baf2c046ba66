// The plugin's panel: elements that are locked or not, as the API says.

import { drawn, drawing } from './shapes.js';

const identities = {
  linked: (name) => `Connected as ${name}. Purchases with your Miro e-mail count here.`,
  no_email: (name) => `Connected as ${name}, but Miro shares no e-mail address: a purchase cannot find you by it.`,
  not_installed: () => 'Not connected yet. Install the plugin, and what you bought unlocks by itself.',
  reauthorize: (name) => `Miro no longer accepts the stored permission of ${name}. What is unlocked stays unlocked; install again to refresh it.`,
};

const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

export function createPanel({ products, canvas, announce, onChange, onShown }) {
  const root = document.getElementById('elements');
  const packs = new Map();
  let known = null; // keys of the last answer; null before the first
  let placed = 0;

  function place(parts) {
    const copy = make('div', 'placed');
    copy.append(drawing(parts));
    copy.style.setProperty('--x', ((0.3 + placed * 0.382) % 1).toFixed(3));
    copy.style.setProperty('--y', (0.24 + ((placed * 0.236) % 0.6)).toFixed(3));
    placed += 1;
    canvas.append(copy);
    if (canvas.querySelectorAll('.placed').length > 12) canvas.querySelector('.placed').remove();
  }

  function addPack({ name, unlocks: key }) {
    const pack = make('section', 'pack');
    pack.dataset.key = key;
    pack.dataset.state = 'locked';
    const head = make('div', 'pack-head');
    const badge = make('span', 'badge', 'Locked');
    head.append(make('h3', '', name), badge);
    const grid = make('div', 'grid');
    for (const [label, parts] of drawn(key)) {
      const button = make('button', 'element');
      button.type = 'button';
      button.disabled = true;
      button.title = label;
      button.append(drawing(parts), make('span', 'hidden', label));
      button.addEventListener('click', () => place(parts));
      grid.append(button);
    }
    const note = make('p', 'pack-note', 'Buy it in the shop to use it.');
    pack.append(head, grid, note);
    root.append(pack);
    packs.set(key, { pack, badge, note, name, grid });
  }

  function detail({ status, quantity, expires_at: expires }) {
    const words = ['Click an element to place it on the board.'];
    if (quantity > 1) words.unshift(`${quantity} licences.`);
    if (status === 'grace') words.unshift('Payment is late; still yours for now.');
    if (expires) words.unshift(`Until ${new Date(expires).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' })}.`);
    return words.join(' ');
  }

  function show(answer, name) {
    const live = new Map(answer.entitlements.map((item) => [item.key, item]));
    for (const [key, { pack, badge, note, name: title, grid }] of packs) {
      const open = live.has(key);
      const was = known?.has(key) ?? false;
      pack.dataset.state = open ? 'unlocked' : 'locked';
      badge.textContent = open ? 'Unlocked' : 'Locked';
      note.textContent = open ? detail(live.get(key)) : 'Buy it in the shop to use it.';
      for (const button of grid.children) button.disabled = !open;
      if (known !== null && open !== was) {
        pack.classList.remove('just');
        void pack.offsetWidth; // lets the animation run again
        pack.classList.add('just');
        announce(`${title} is now ${open ? 'unlocked' : 'locked'}.`);
        onChange(key, title, open);
      }
    }
    known = new Set(live.keys());
    onShown(known);
    const identity = document.getElementById('identity');
    identity.dataset.state = answer.identity.state;
    identity.textContent = (identities[answer.identity.state] ?? (() => answer.identity.state))(name);
  }

  function forget() {
    known = null;
    onShown(new Set());
    for (const { pack, badge, grid } of packs.values()) {
      pack.dataset.state = 'locked';
      badge.textContent = 'Locked';
      for (const button of grid.children) button.disabled = true;
    }
    for (const copy of canvas.querySelectorAll('.placed')) copy.remove();
  }

  products.filter((product) => product.unlocks).forEach(addPack);
  return { show, forget };
}
