// Drives the demo's page in Debian's Chromium: install, buy, see the element unlock, refund, see it lock, with no
// reload by hand and no error in the console. The last line is "N passed, N failed".
//
//   node demo.test.mjs         PURCHASE_SYNC_BIN: programs that are built already, else ./run builds them
//                              CHROMIUM: the browser, /usr/bin/chromium unless told

import assert from 'node:assert/strict';
import { launch, watchErrors } from './browser.mjs';
import { startDemo, turn } from './deployment.mjs';
import { runStory } from './story.mjs';

const pack = (key, state) => `.pack[data-key="${key}"][data-state="${state}"]`;
const card = (key, state) => `.product[data-unlocks="${key}"][data-state="${state}"]`;

async function journalSays(page, words) {
  await page.locator('#journal .entry', { hasText: words }).first().waitFor();
}

const story = [
  ['before the install everything is locked', async ({ page, demo }) => {
    await page.goto(demo.page);
    await page.locator('#identity[data-state="not_installed"]').waitFor();
    await page.locator('#live[data-state="live"]').waitFor();
    assert.equal(await page.locator('.pack').count(), 3);
    assert.equal(await page.locator('.pack[data-state="locked"]').count(), 3);
    assert.equal(await page.locator('.element:enabled').count(), 0);
    assert.equal(await page.inputValue('#email'), 'zoe@example.test');
  }],
  ['installing leads through Miro and back, and links the user', async ({ page, demo }) => {
    await page.click('#install');
    await page.waitForURL(/\/oauth\/authorize\?/);
    await page.click('button[value="allow"]');
    await page.waitForURL(/\/app-install-completed\//);
    await page.waitForURL(demo.page);
    await page.locator('#identity[data-state="linked"]').waitFor();
    await page.locator('#step-install[data-state="done"]').waitFor();
    await page.evaluate(() => { window.sameDocument = true; });
  }],
  ['a purchase unlocks its element, and no other', async ({ page }) => {
    await page.click('[data-buy="icons-pro"]');
    await page.locator(pack('icons-pro', 'unlocked')).waitFor();
    await page.locator(card('icons-pro', 'unlocked')).waitFor();
    assert.equal(await page.locator('.pack[data-state="unlocked"]').count(), 1);
    assert.equal(await page.locator(`${pack('icons-pro', 'unlocked')} .element:enabled`).count(), 6);
    assert.match(await page.textContent('#announce'), /Icon pack Pro is now unlocked/);
  }],
  ['an unlocked element can be placed on the board', async ({ page }) => {
    await page.click(`${pack('icons-pro', 'unlocked')} .element:nth-child(1)`);
    await page.locator('#canvas .placed').waitFor();
  }],
  ['the journal tells what was sent and stored', async ({ page }) => {
    await journalSays(page, /order\.created #101.*200 (stored|known already)/);
    await journalSays(page, /Icon pack Pro unlocks in the plugin/);
  }],
  ["a purchase with somebody else's address unlocks nothing here", async ({ page }) => {
    await page.fill('#email', 'somebody@elsewhere.test');
    await page.click('[data-buy="flow-shapes"]');
    await page.locator('.order', { hasText: 'somebody@elsewhere.test' }).waitFor();
    await page.fill('#email', 'Zoe@Example.TEST');
    await page.click('[data-buy="extra-boards"]');
    await page.locator(pack('extra-boards', 'unlocked')).waitFor();
    assert.equal(await page.locator(pack('flow-shapes', 'locked')).count(), 1);
    assert.match(await page.textContent(`${pack('extra-boards', 'unlocked')} .pack-note`), /^Until /);
  }],
  ['a refund locks its element, and no other', async ({ page }) => {
    await page.locator('.order', { hasText: 'Icon pack Pro' }).locator('[data-refund]').click();
    await page.locator(pack('icons-pro', 'locked')).waitFor();
    assert.equal(await page.locator(pack('extra-boards', 'unlocked')).count(), 1);
    await page.locator('.order[data-state="refunded"]', { hasText: 'Icon pack Pro' }).waitFor();
    assert.match(await page.textContent('#announce'), /Icon pack Pro is now locked/);
    await journalSays(page, /Icon pack Pro locks in the plugin/);
  }],
  ['none of it needed a reload', async ({ page }) => {
    assert.equal(await page.evaluate(() => window.sameDocument), true);
  }],
  ['after a reload the page shows the same', async ({ page }) => {
    await page.reload();
    await page.locator(pack('extra-boards', 'unlocked')).waitFor();
    await page.locator('#identity[data-state="linked"]').waitFor();
    assert.equal(await page.locator('.pack[data-state="unlocked"]').count(), 1);
  }],
  ['the plugin renews its idToken by itself', async ({ page, demo }) => {
    await turn(demo, 'miro', { id_token_seconds: 1 });
    await page.reload();
    await page.locator('#live[data-state="live"]').waitFor();
    await page.click('[data-buy="icons-pro"]');
    await page.locator(pack('icons-pro', 'unlocked')).waitFor();
    await page.locator('.order', { hasText: 'Icon pack Pro' }).locator('[data-refund]').click();
    await page.locator(pack('icons-pro', 'locked')).waitFor();
    await journalSays(page, /fresh idToken/);
    await turn(demo, 'miro', { id_token_seconds: 300 });
  }],
  ['somebody without an e-mail address is told so', async ({ page, demo }) => {
    await page.selectOption('#person', { label: 'Chiara Rossi, no e-mail' });
    await page.locator('#identity[data-state="not_installed"]').waitFor();
    await page.click('#install');
    await page.click('button[value="allow"]');
    await page.waitForURL(demo.page);
    await page.locator('#identity[data-state="no_email"]').waitFor();
    assert.equal(await page.locator('.pack[data-state="unlocked"]').count(), 0);
  }],
  ['nothing overflows on a narrow screen, light or dark', async ({ page }) => {
    for (const [width, colorScheme] of [[360, 'light'], [360, 'dark'], [820, 'light'], [1440, 'dark']]) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
      assert.ok(wide <= width, `${wide} px wide on a screen of ${width}`);
    }
  }],
  ['every control has a name', async ({ page }) => {
    const nameless = await page.evaluate(() => [...document.querySelectorAll('button, a[href], input, select')]
      .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length))
      .map((node) => node.outerHTML));
    assert.deepEqual(nameless, []);
  }],
  ['the browser had nothing to complain about', async ({ errors }) => {
    assert.deepEqual(errors, []);
  }],
];

async function begin() {
  const demo = await startDemo();
  const { browser, page } = await launch({ width: 1440, height: 900 });
  return {
    demo,
    page,
    errors: watchErrors(page),
    async end() {
      await browser.close();
      return demo.stop();
    },
  };
}

await runStory(story, begin, { stopEarly: true, explain: ({ errors }) => errors.join('\n') });
