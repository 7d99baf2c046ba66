// The elements of each pack, drawn on a grid of 48; what is dropped on the board is the drawing itself.

const BLUE = '#4262ff';
const SKY = '#8fd1f5';
const YELLOW = '#ffd02f';
const CORAL = '#ff7a66';
const GREEN = '#5cc47c';
const VIOLET = '#a78bfa';
const INK = '#2b2e4a';
const PAPER = '#ffffff';

const fill = (colour, d) => `<path fill="${colour}" d="${d}"/>`;
const line = (colour, d, width = 2.5) =>
  `<path fill="none" stroke="${colour}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round" d="${d}"/>`;
const box = (colour, x, y, w, h, r = 2) => `<rect fill="${colour}" x="${x}" y="${y}" width="${w}" height="${h}" rx="${r}"/>`;
const disc = (colour, x, y, r) => `<circle fill="${colour}" cx="${x}" cy="${y}" r="${r}"/>`;
const sheet = box(PAPER, 5, 8, 38, 32, 4) + `<rect x="5.75" y="8.75" width="36.5" height="30.5" rx="3.25" fill="none" stroke="${INK}" stroke-width="1.5"/>`;

const drawings = {
  basics: {
    'Sticky note': fill(YELLOW, 'M7 9a2 2 0 0 1 2-2h30a2 2 0 0 1 2 2v22L31 41H9a2 2 0 0 1-2-2Z') + fill('#d7a900', 'M31 41V33a2 2 0 0 1 2-2h8Z'),
    Circle: disc(SKY, 24, 24, 17),
    Square: box(VIOLET, 8, 8, 32, 32, 5),
    Triangle: fill(GREEN, 'M22.3 8.9a2 2 0 0 1 3.4 0l16 28a2 2 0 0 1-1.7 3H8a2 2 0 0 1-1.7-3Z'),
  },
  'icons-pro': {
    Rocket: fill(CORAL, 'M17 31 9 34l2-10 7-4Zm14 0 8 3-2-10-7-4Z') + fill(BLUE, 'M24 4c7 6 9 13 9 19 0 5-2 9-4 12H19c-2-3-4-7-4-12 0-6 2-13 9-19Z') + disc(PAPER, 24, 20, 4.5) + fill(YELLOW, 'M20 37h8l-4 8Z'),
    Idea: fill(YELLOW, 'M24 5a14 14 0 0 0-8 25.500c1.6 1.2 2 2.5 2 4.500h12c0-2 .4-3.3 2-4.500A14 14 0 0 0 24 5Z') + box(INK, 18, 36.5, 12, 3, 1.5) + box(INK, 20, 41, 8, 3, 1.5) + line(PAPER, 'M18.5 19a6 6 0 0 1 5-5.5'),
    Love: fill(CORAL, 'M24 41S6 30.5 6 18.500A9.5 9.5 0 0 1 24 14.3 9.5 9.5 0 0 1 42 18.500C42 30.5 24 41 24 41Z') + line(PAPER, 'M12.5 19.500a4.5 4.5 0 0 1 3-4.5'),
    Star: fill(YELLOW, 'm24 5 5.8 12.2 13.2 1.8-9.7 9.2 2.5 13.300L24 35.100l-11.8 6.4 2.5-13.300L5 19l13.2-1.800Z'),
    Target: disc(CORAL, 24, 24, 18) + disc(PAPER, 24, 24, 12.5) + disc(CORAL, 24, 24, 7) + line(INK, 'M24 24 39 9m-5 0h5v5'),
    Talk: fill(BLUE, 'M10 8h28a4 4 0 0 1 4 4v18a4 4 0 0 1-4 4H23l-9 8v-8h-4a4 4 0 0 1-4-4V12a4 4 0 0 1 4-4Z') + line(PAPER, 'M14 17h20M14 25h12', 3),
    Growth: box(SKY, 7, 28, 8, 13) + box(BLUE, 20, 20, 8, 21) + box(VIOLET, 33, 11, 8, 30) + line(INK, 'M7 18 19 10l7 3L38 4'),
    Gem: fill(SKY, 'M14 8h20l9 12-19 22L5 20Z') + fill(BLUE, 'M16 20h16l-8 22Z') + fill('#c9ecff', 'M14 8 16 20h16l2-12-10 0Z') + line(PAPER, 'M5.5 20h37', 1.5),
  },
  'flow-shapes': {
    Start: box(GREEN, 4, 14, 40, 20, 10) + fill(PAPER, 'm20.5 18.5 9 5.5-9 5.500Z'),
    Task: box(BLUE, 5, 11, 38, 26, 5) + line(PAPER, 'M13 20h22M13 28h14', 3),
    Decision: fill(YELLOW, 'M22.6 5a2 2 0 0 1 2.8 0L43 22.600a2 2 0 0 1 0 2.800L25.4 43a2 2 0 0 1-2.8 0L5 25.400a2 2 0 0 1 0-2.800Z') + line(INK, 'M20 20.500a4 4 0 1 1 5.5 3.700c-1 .5-1.5 1.2-1.5 2.8') + disc(INK, 24, 32, 1.7),
    Document: fill(VIOLET, 'M8 10a2 2 0 0 1 2-2h28a2 2 0 0 1 2 2v28c-8-5-11 4-18 3-6-1-8-3-14 0Z') + line(PAPER, 'M15 17h18M15 24h18', 3),
    Data: fill(SKY, 'M8 12v24c0 3.3 7.2 6 16 6s16-2.7 16-6V12Z') + '<ellipse cx="24" cy="12" rx="16" ry="6" fill="#c9ecff"/>' + line(PAPER, 'M8.5 24c1 3 7.5 5 15.5 5s14.5-2 15.5-5', 2),
    Arrow: fill(CORAL, 'M6 19h20v-8a1.5 1.5 0 0 1 2.5-1.100l14 13a1.5 1.5 0 0 1 0 2.200l-14 13A1.5 1.5 0 0 1 26 37v-8H6a2 2 0 0 1-2-2v-6a2 2 0 0 1 2-2Z'),
    Lanes: sheet + fill(BLUE, 'M9 8h4v32H9a4 4 0 0 1-4-4V12a4 4 0 0 1 4-4Z') + box(SKY, 17, 14, 10, 7) + box(GREEN, 28, 27, 10, 7) + line(INK, 'M13 24h29M27 17.500h6V27', 1.5),
    End: box(CORAL, 4, 14, 40, 20, 10) + box(PAPER, 20, 20, 8, 8, 1.5),
  },
  'extra-boards': {
    Kanban: sheet + box(CORAL, 9, 13, 8.5, 22) + box(YELLOW, 19.7, 13, 8.5, 14) + box(GREEN, 30.5, 13, 8.5, 8),
    Timeline: sheet + box(BLUE, 9, 14, 17, 4.5) + box(VIOLET, 17, 21.5, 18, 4.5) + box(CORAL, 12, 29, 14, 4.5),
    'Mind map': sheet + line(INK, 'M24 24 12 16m12 8 12-8M24 24 12 32m12-8 12 8', 1.5) + box(VIOLET, 17.5, 20, 13, 8, 4) + disc(YELLOW, 12, 15.5, 3.5) + disc(SKY, 36, 15.5, 3.5) + disc(GREEN, 12, 32.5, 3.5) + disc(CORAL, 36, 32.5, 3.5),
    Matrix: sheet + box(CORAL, 9, 12, 14, 11) + box(SKY, 25, 12, 14, 11) + box(GREEN, 9, 25, 14, 11) + box(YELLOW, 25, 25, 14, 11),
  },
};

const address = (shapes) =>
  `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48" width="192" height="192">${shapes}</svg>`)}`;

// The elements of a pack: what each is called, and its picture.
export const elementsOf = (key) =>
  Object.entries(drawings[key]).map(([title, shapes]) => ({ title, url: address(shapes) }));
