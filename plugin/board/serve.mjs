// Serves a plugin's folder on a stand-in board, so that it can be tried without Miro: beside ./run, which gives the
// idTokens. Loopback only.
//
//   node serve.mjs FOLDER [--port 3000] [--sandbox http://127.0.0.1:8090]
//
// The plugin's own files lie below /app/, and are served as they are, but for one thing: where a page loads Miro's
// Web SDK, it gets the stand-in of miro.js.

import { createServer } from 'node:http';
import { readFile, stat } from 'node:fs/promises';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const SDK = 'https://miro.com/app/static/sdk/v2/miro.js';
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.woff2': 'font/woff2', '.json': 'application/json',
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: '3000' }, sandbox: { type: 'string', default: 'http://127.0.0.1:8090' } },
});
if (positionals.length !== 1 || !(await stat(positionals[0]).catch(() => null))?.isDirectory()) {
  console.error('usage: node serve.mjs FOLDER [--port 3000] [--sandbox http://127.0.0.1:8090]');
  process.exit(2);
}
const plugin = resolve(positionals[0]);
const board = fileURLToPath(new URL('.', import.meta.url));

// A file below a folder, never above it; null if there is none.
async function fileBelow(folder, path) {
  const name = join(folder, normalize(path));
  if (!name.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return null;
  const bytes = await readFile(name).catch(() => null);
  if (bytes === null) return null;
  const type = TYPES[extname(name)] ?? 'application/octet-stream';
  return { type, body: extname(name) === '.html' ? bytes.toString().replace(SDK, '/miro.js') : bytes };
}

async function idToken(query) {
  const answer = await fetch(`${values.sandbox}/sandbox/api/id-token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user: query.get('user'), team: query.get('team') }),
  }).catch(() => { throw new Error(`Nobody gives idTokens at ${values.sandbox}. Is ./run running?`); });
  return { type: TYPES['.json'], status: answer.status, body: await answer.text() };
}

function found(url) {
  if (url.pathname === '/id-token') return idToken(url.searchParams);
  const path = decodeURIComponent(url.pathname);
  if (path.startsWith('/app/')) return fileBelow(plugin, path.slice(5));
  return fileBelow(board, path === '/' ? 'board.html' : path);
}

const server = createServer(async (request, response) => {
  try {
    const { status = 200, type, body } = await found(new URL(request.url, 'http://board')) ?? { status: 404, type: 'text/plain', body: 'There is nothing here.\n' };
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
    response.end(body);
  } catch (error) {
    response.writeHead(error instanceof URIError ? 400 : 502, { 'Content-Type': 'text/plain' });
    response.end(`${error.message}\n`);
  }
});
process.on('disconnect', () => process.exit()); // a program that started us has ended
server.on('error', (error) => { console.error(error.message); process.exit(1); });
server.listen(Number(values.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
