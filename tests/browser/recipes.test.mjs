// The pages and scripts of docs/recipes in Debian's Chromium: opened by the link's address, each hands the reference to
// its shop under the name that the shop puts into the order. What the shops' own hosts would serve is answered here.
// The last line is "N passed, N failed".
//
//   node recipes.test.mjs      CHROMIUM: the browser, /usr/bin/chromium unless told

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { runStory } from './story.mjs';

const REFERENCE = `AQ${'_-xY9'.repeat(30)}`;
const DEADLINE = 30_000;
const recipe = (name) => readFile(fileURLToPath(new URL(`../../docs/recipes/${name}`, import.meta.url)), 'utf8');

// Opens an address of a web of these few files: {url without query: body}; resolves to {page, posted}.
async function open(context, files, url) {
  const page = await context.browser.newPage();
  const posted = [];
  page.setDefaultTimeout(DEADLINE);
  page.on('pageerror', (error) => posted.push({ error: error.message }));
  await page.route('**/*', (route) => {
    const request = route.request();
    if (request.method() === 'POST') posted.push({ url: request.url(), body: request.postDataJSON() });
    const body = files[request.url().split('?')[0]];
    if (body === undefined) return route.fulfill({ status: request.method() === 'POST' ? 200 : 404, body: '{}' });
    return route.fulfill({ contentType: request.url().includes('.js') ? 'text/javascript' : 'text/html', body });
  });
  await page.goto(url);
  return { page, posted };
}

async function paddle(context, query) {
  const { page, posted } = await open(context, {
    'https://www.example.com/buy-icons': await recipe('paddle.html'),
    'https://cdn.paddle.com/paddle/v2/paddle.js':
      'globalThis.said = []; globalThis.Paddle = { Initialize: () => {}, Checkout: { open: (how) => said.push(how) } };',
  }, `https://www.example.com/buy-icons${query}`);
  assert.deepEqual(posted, []);
  return page.evaluate(() => globalThis.said);
}

async function fastspring(context, query) {
  const { page, posted } = await open(context, {
    'https://www.example.com/buy-icons': await recipe('fastspring.html'),
    'https://sbl.onfastspring.com/sbl/1.0.3/fastspring-builder.min.js':
      'globalThis.said = []; globalThis.fastspring = { builder: { push: (session) => said.push(session) } };',
  }, `https://www.example.com/buy-icons${query}`);
  assert.deepEqual(posted, []);
  return page.evaluate(() => globalThis.said);
}

async function shopify(context, query) {
  const { page, posted } = await open(context, {
    'https://shop.example.com/products/icons': '<!doctype html><title>Icons</title><script src="/assets/recipe.js"></script>',
    'https://shop.example.com/assets/recipe.js': await recipe('shopify.js'),
  }, `https://shop.example.com/products/icons${query}`);
  await page.waitForLoadState('networkidle');
  return posted;
}

const STORY = [
  ['Paddle: customData', async (context) => {
    assert.deepEqual((await paddle(context, `?miro_reference=${REFERENCE}`))[0].customData, { miro_reference: REFERENCE });
    assert.equal((await paddle(context, ''))[0].customData, undefined);
  }],
  ['FastSpring: tags', async (context) => {
    assert.deepEqual((await fastspring(context, `?miro_reference=${REFERENCE}`))[0].tags, { miro_reference: REFERENCE });
    assert.deepEqual((await fastspring(context, ''))[0].tags, {});
  }],
  ['Shopify: cart attributes', async (context) => {
    assert.deepEqual(await shopify(context, `?miro_reference=${REFERENCE}`), [{
      url: 'https://shop.example.com/cart/update.js', body: { attributes: { miro_reference: REFERENCE } },
    }]);
    assert.deepEqual(await shopify(context, ''), []);
    assert.deepEqual(await shopify(context, '?miro_reference=%3Cscript%3E'), []);
  }],
];

await runStory(STORY, async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  return { browser, end: async () => { await browser.close(); return { status: 0, said: '' }; } };
});
