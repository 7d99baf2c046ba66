// The drawings: six elements for each key that the plugin sells. Paths on a grid of 48.
// Each part is [class, path]; style.css gives the classes their colours.

const packs = {
  'icons-pro': [
    ['Heart', [['c1', 'M24 40S7 30 7 18.5A8.8 8.8 0 0 1 24 14.6 8.8 8.8 0 0 1 41 18.5C41 30 24 40 24 40Z']]],
    ['Star', [['c2', 'm24 6 5.5 11.6 12.5 1.7-9.2 8.8 2.3 12.6L24 34.6l-11.1 6.1 2.3-12.6L6 19.3l12.5-1.7Z']]],
    ['Bolt', [['c3', 'M27 5 10 27h11l-3 16 19-24H25Z']]],
    ['Bell', [['c4', 'M24 7a12 12 0 0 0-12 12v9l-4 6h32l-4-6v-9A12 12 0 0 0 24 7Z'], ['c2', 'M19 37a5 5 0 0 0 10 0Z']]],
    ['Cloud', [['c5', 'M14 38a9 9 0 0 1-1-17.9A12 12 0 0 1 36 22a8 8 0 0 1-1 16Z']]],
    ['Leaf', [['c6', 'M8 40C6 18 20 8 41 8c1 21-10 34-27 29Z'], ['s', 'M9 40C15 30 22 23 31 18']]],
  ],
  'extra-boards': [
    ['Kanban', [['f', 'M6 9h36v30H6Z'], ['c1', 'M10 15h8v19h-8Z'], ['c2', 'M20 15h8v12h-8Z'], ['c6', 'M30 15h8v8h-8Z']]],
    ['Timeline', [['f', 'M6 9h36v30H6Z'], ['c5', 'M10 15h18v5H10Z'], ['c4', 'M17 22h18v5H17Z'], ['c3', 'M12 29h14v5H12Z']]],
    ['Mind map', [['f', 'M6 9h36v30H6Z'], ['s', 'M24 24 13 16M24 24l11-8M24 24 13 33M24 24l11 9'], ['c4', 'M18 20h12v8H18Z'], ['c2', 'M9 13h8v6H9ZM31 13h8v6h-8ZM9 30h8v6H9ZM31 30h8v6h-8Z']]],
    ['Matrix', [['f', 'M6 9h36v30H6Z'], ['c1', 'M10 13h12v9H10Z'], ['c5', 'M26 13h12v9H26Z'], ['c6', 'M10 26h12v9H10Z'], ['c3', 'M26 26h12v9H26Z']]],
    ['Retro', [['f', 'M6 9h36v30H6Z'], ['c6', 'M10 14h7v7h-7ZM19 14h7v7h-7Z'], ['c1', 'M10 25h7v7h-7Z'], ['c2', 'M28 14h10v20H28Z']]],
    ['Roadmap', [['f', 'M6 9h36v30H6Z'], ['s', 'M11 32c7 0 5-13 12-13s6 8 14-4'], ['c3', 'M9 29h6v6H9Z'], ['c4', 'M20 16h6v6h-6Z'], ['c5', 'M34 12h6v6h-6Z']]],
  ],
  'flow-shapes': [
    ['Start', [['c6', 'M24 9a15 15 0 1 1 0 30 15 15 0 0 1 0-30Z'], ['w', 'm20 17 11 7-11 7Z']]],
    ['Task', [['c5', 'M12 12h24a5 5 0 0 1 5 5v14a5 5 0 0 1-5 5H12a5 5 0 0 1-5-5V17a5 5 0 0 1 5-5Z'], ['w', 'M14 20h20v3H14ZM14 26h13v3H14Z']]],
    ['Gateway', [['c2', 'm24 6 18 18-18 18L6 24Z'], ['w', 'M22.3 16h3.4v6.3H32v3.4h-6.3V32h-3.4v-6.3H16v-3.4h6.3Z']]],
    ['Document', [['c4', 'M10 8h28v28c-6-4-10 4-16 2-5-2-8 0-12 2Z'], ['w', 'M16 15h16v3H16ZM16 22h16v3H16Z']]],
    ['Arrow', [['c1', 'M6 20h22v-9l15 13-15 13v-9H6Z']]],
    ['Lane', [['f', 'M6 9h36v30H6Z'], ['c3', 'M6 9h7v30H6Z'], ['c5', 'M17 14h11v7H17Z'], ['c6', 'M27 27h11v7H27Z'], ['s', 'M28 17.5h5V27']]],
  ],
};

export const drawn = (key) => packs[key] ?? packs['icons-pro'];

export function drawing(parts, label) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 48 48');
  svg.setAttribute('aria-hidden', label ? 'false' : 'true');
  if (label) {
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', label);
  }
  for (const [kind, d] of parts) {
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('class', kind);
    path.setAttribute('d', d);
    svg.append(path);
  }
  return svg;
}
