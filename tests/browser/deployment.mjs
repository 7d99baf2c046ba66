// The whole demo, started by ./run and ended with this process, and a plugin on the stand-in board beside it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

// Resolves to {page, sandbox, public, internal, config, stop()}; stop() gives the exit status and what was said.
export async function startDemo(env = {}) {
  const child = spawn('./run', ['--json'], { cwd: root, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { said += text; });
  const ended = once(child, 'exit');
  const line = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([text]) => text),
    ended.then(() => null),
  ]);
  if (line === null) throw new Error(`./run --json ended before it was ready:\n${said}`);
  return {
    ...JSON.parse(line),
    async stop() {
      child.stdin.end();
      const [status] = await ended;
      return { status, said };
    },
  };
}

// A port that nobody listens on.
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// A plugin's folder on the stand-in board, at a port that the front's configuration allows.
export async function serveBoard(folder, port, demo) {
  const child = spawn(process.execPath, [`${root}plugin/board/serve.mjs`, folder, '--port', String(port), '--sandbox', demo.sandbox],
    { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const [line] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended.then(() => [null])]);
  if (line === null) throw new Error('the board ended before it was ready');
  return {
    url: line,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export async function turn(demo, path, body) {
  const answer = await fetch(`${demo.sandbox}/sandbox/api/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
