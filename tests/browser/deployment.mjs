// The whole demo, started by ./run and ended with this process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

// Resolves to {page, sandbox, public, internal, config, stop()}; stop() gives the exit status and what was said.
export async function startDemo() {
  const child = spawn('./run', ['--json'], { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
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

export async function turn(demo, path, body) {
  const answer = await fetch(`${demo.sandbox}/sandbox/api/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
