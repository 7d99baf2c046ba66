// Gathers all that the panel's host serves into one folder: our files, the module, Mirotone and its font. The font
// comes with us and not from somebody else's server, so that the board's visitors are not told to a third party.
//
//   node build.mjs [FOLDER]      dist unless told

import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const OURS = ['index.html', 'index.js', 'panel.html', 'panel.css', 'panel.js', 'claim.js', 'packs.js', 'settings.js', 'icon.svg'];
const THEIRS = ['../purchase-sync.js', 'node_modules/@fontsource-variable/open-sans/files/open-sans-latin-wght-normal.woff2'];

const FONT = `@font-face{font-family:"Open Sans";font-weight:300 800;font-display:swap;src:url("open-sans-latin-wght-normal.woff2") format("woff2")}`;

const target = process.argv[2] ?? here('dist');
await mkdir(target, { recursive: true });
await Promise.all([...OURS, ...THEIRS].map((path) => copyFile(here(path), join(target, basename(path)))));
const mirotone = await readFile(here('node_modules/mirotone/dist/styles.css'), 'utf8');
await writeFile(join(target, 'mirotone.css'), FONT + mirotone.replace(/@import url\([^)]*\);/g, ''));
