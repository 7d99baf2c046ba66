// docs/plugin.md, followed word for word: its files are written, its commands run, and the star unlocks in Chromium.
// Only the ports are others, where those of the page are taken. The last line is "N passed, N failed".

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, watchErrors } from './browser.mjs';
import { freePort, startDemo } from './deployment.mjs';
import { runStory } from './story.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

// The page's blocks in their order: shell commands, and files with their names.
async function blocksOf(page) {
  const text = await readFile(join(root, page), 'utf8');
  return [...text.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map(([, language, file, body]) => ({ language, file, body }));
}

const commands = (blocks) => blocks.filter(({ language }) => language === 'sh').map(({ body }) => body.trim());

const story = [
  ['the first command is ./run', async ({ blocks }) => {
    assert.equal(commands(blocks)[0], './run'); // as startDemo() has run it
  }],
  ['the folder is made, and its files are written', async ({ blocks, folder, here }) => {
    execFileSync('/bin/sh', ['-ec', commands(blocks)[1]], { cwd: folder });
    const files = blocks.filter(({ file }) => file !== undefined);
    assert.deepEqual(files.map(({ file }) => file), ['my-plugin/index.html', 'my-plugin/panel.html', 'my-plugin/panel.js']);
    for (const { file, body } of files) await writeFile(join(folder, file), here(body));
  }],
  ['the board serves it', async (context) => {
    const [program, ...rest] = commands(context.blocks)[2].split(' ');
    assert.equal(program, 'node');
    const child = spawn(process.execPath, [...rest, '--port', String(context.port), '--sandbox', context.demo.sandbox],
      { cwd: context.folder, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    context.board = child;
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    assert.equal(line, context.here('http://127.0.0.1:3000/'));
  }],
  ['the star is locked', async ({ page, here, panel }) => {
    await page.goto(here('http://127.0.0.1:3000/'));
    await page.click('#icon');
    await panel.getByText('Locked.').waitFor();
    assert.equal(await panel.locator('#star.miro-draggable').count(), 0);
  }],
  ['connecting leads through Miro', async ({ page, panel }) => {
    const [tab] = await Promise.all([page.waitForEvent('popup'), panel.getByText('Connect with Miro').click()]);
    await tab.waitForURL(/\/oauth\/authorize\?/);
    await tab.click('button[value="allow"]');
    await tab.waitForURL(/\/app-install-completed\//);
    await tab.close();
    await panel.getByText('Connect with Miro').waitFor({ state: 'hidden' });
  }],
  ['the purchase unlocks it', async ({ page, panel, here }) => {
    const shop = await page.context().newPage();
    await shop.goto(here('http://127.0.0.1:8090/'));
    await shop.click('[data-buy="icons-pro"]');
    await panel.getByText('Unlocked: drag it to the board.').waitFor();
    await shop.close();
  }],
  ['it is dragged to the board', async ({ page, panel }) => {
    const { x, y } = await panel.locator('#star').boundingBox();
    await page.mouse.move(x + 40, y + 40);
    await page.mouse.down();
    await page.mouse.move(600, 300, { steps: 5 });
    await page.mouse.up();
    await page.locator('.item').waitFor();
  }],
  ['the refund locks it', async ({ page, panel, here }) => {
    const shop = await page.context().newPage();
    await shop.goto(here('http://127.0.0.1:8090/'));
    await shop.click('[data-refund]');
    await panel.getByText('Locked.').waitFor();
    await shop.close();
  }],
  ['the example\'s commands are those that its own test stands on', async ({ blocks }) => {
    const example = commands(blocks)[3].split('\n');
    assert.deepEqual(example.slice(1, 3), ['npm ci --ignore-scripts', 'npm run build']);
    assert.equal(commands(blocks).length, 4);
  }],
  ['the browser had nothing to complain about', async ({ errors }) => {
    assert.deepEqual(errors, []);
  }],
];

async function begin() {
  const port = await freePort();
  const demo = await startDemo({ PURCHASE_SYNC_ORIGINS: `http://127.0.0.1:${port}` });
  const folder = await mkdtemp(join(tmpdir(), 'author-'));
  await symlink(join(root, 'plugin'), join(folder, 'plugin'));
  const { browser, page } = await launch({ width: 1100, height: 800 });
  const context = {
    blocks: await blocksOf('docs/plugin.md'),
    demo,
    folder,
    port,
    page,
    panel: page.frameLocator('#frame'),
    errors: watchErrors(page),
    board: null,
    // The page's addresses, as they are here.
    here: (text) => text.replaceAll('http://127.0.0.1:8080', demo.public).replaceAll('http://127.0.0.1:8090', demo.sandbox)
      .replaceAll('http://127.0.0.1:3000', `http://127.0.0.1:${port}`),
    async end() {
      await browser.close();
      if (context.board !== null) {
        const ended = once(context.board, 'exit');
        context.board.kill('SIGTERM');
        await ended;
      }
      await rm(folder, { recursive: true });
      return demo.stop();
    },
  };
  return context;
}

await runStory(story, begin, { stopEarly: true, explain: ({ errors }) => errors.join('\n') });
