// Debian's Chromium, and all that it complains about.

import { chromium } from 'playwright-core';

const DEADLINE = 30_000;
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export async function launch(viewport) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: FLAGS,
  });
  const page = await (await browser.newContext({ viewport })).newPage();
  page.setDefaultTimeout(DEADLINE);
  return { browser, page };
}

// Everything the browser complains about, but for waiting requests that a navigation ends.
export function watchErrors(page) {
  const errors = [];
  const waits = (url) => /[?&]wait=\d+/.test(url);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) errors.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => errors.push(`page error: ${error.message}`));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText;
    if (!(why === 'net::ERR_ABORTED' && waits(request.url()))) errors.push(`failed: ${request.url()} ${why}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) errors.push(`${response.status()}: ${response.url()}`);
  });
  return errors;
}
