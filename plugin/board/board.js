// A board that a plugin's frames can join: the icon opens the panel, and what is dropped stays.

const canvas = document.getElementById('canvas');
const panel = document.getElementById('panel');
const frame = document.getElementById('frame');
const ghost = document.getElementById('ghost');
const clicks = [];

panel.style.width = `${Number(new URLSearchParams(location.search).get('width')) || 360}px`;

// From a place in the panel's frame to one on the board; null over the panel itself.
function spot(x, y) {
  const inner = frame.getBoundingClientRect();
  const outer = panel.getBoundingClientRect();
  const left = inner.left + x;
  const top = inner.top + y;
  return left > outer.right ? { x: left, y: top } : null;
}

window.board = {
  joined: (click) => clicks.push(click),
  openPanel(url) {
    frame.src = `/app/${url}`;
    panel.hidden = false;
  },
  carry({ src }, x, y) {
    const inner = frame.getBoundingClientRect();
    ghost.src = src;
    ghost.hidden = false;
    ghost.style.translate = `${inner.left + x}px ${inner.top + y}px`;
  },
  letGo(x, y) {
    ghost.hidden = true;
    return spot(x, y);
  },
  viewport: () => ({ x: panel.offsetWidth, y: 0, width: innerWidth - panel.offsetWidth, height: innerHeight }),
  add({ url, title = '', x = 0, y = 0, width = 160 }) {
    const image = Object.assign(new Image(), { src: url, alt: title, className: 'item', width });
    image.style.translate = `${x}px ${y}px`;
    canvas.append(image);
    return { type: 'image', title, x, y, width };
  },
};

document.getElementById('icon').addEventListener('click', () => clicks.forEach((click) => click('icon:click')));
document.getElementById('close').addEventListener('click', () => {
  panel.hidden = true;
  frame.src = 'about:blank';
});
document.getElementById('headless').src = '/app/index.html';
