// What a plugin needs of Purchase Sync, and all it needs: a watch over GET /v1/entitlements that
// tells each new answer. In Miro, `mint` is miro.board.getIdToken().

const WAIT_S = 25;
const RENEW_BEFORE_MS = 35_000; // longer than a wait, so that no wait outlives its token
const AT_ONCE_MS = 500;
const PAUSE_MS = 700; // after a 304 that came at once: a server that does not know `wait`
const RETRY_MS = [1000, 2000, 4000, 8000];

const sleep = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });

export function watchEntitlements({ url, mint, onAnswer, onState, onToken }) {
  const stop = new AbortController();
  let token = null;
  let etag = null;
  let failures = 0;

  async function bearer() {
    if (token === null || Date.now() > token.until - Math.min(RENEW_BEFORE_MS, token.life / 2)) {
      const renewed = token !== null;
      const { token: text, seconds } = await mint(stop.signal);
      token = { text, life: seconds * 1000, until: Date.now() + seconds * 1000 };
      if (renewed) onToken();
    }
    return token.text;
  }

  async function once() {
    const headers = { Authorization: `Bearer ${await bearer()}` };
    if (etag !== null) headers['If-None-Match'] = etag;
    const began = performance.now();
    const answer = await fetch(`${url}/v1/entitlements${etag === null ? '' : `?wait=${WAIT_S}`}`, {
      headers,
      signal: stop.signal,
      cache: 'no-store',
      credentials: 'omit',
    });
    const took = performance.now() - began;
    if (answer.status === 200) {
      etag = answer.headers.get('ETag');
      onAnswer(await answer.json(), etag);
    } else if (answer.status === 304) {
      if (took < AT_ONCE_MS) await sleep(PAUSE_MS, stop.signal);
    } else if (answer.status === 401) {
      token = null; // ask Miro for another one
      throw new Error('the idToken was not accepted');
    } else {
      throw new Error(`the service answered ${answer.status}`);
    }
    if (etag === null) await sleep(PAUSE_MS, stop.signal);
    failures = 0;
    onState('live');
  }

  (async () => {
    while (!stop.signal.aborted) {
      try {
        await once();
      } catch (error) {
        if (stop.signal.aborted) return;
        onState('retrying', error.message);
        await sleep(RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)], stop.signal);
      }
    }
  })();

  return () => stop.abort();
}
