// What a Miro plugin needs of Purchase Sync; purchase-sync.d.ts says what each member promises.
// @ts-check

/** @typedef {import('./purchase-sync.js').Answer} Answer */

const WAIT_S = 25;
const PLAIN_TIMEOUT_MS = 15_000;
const WAIT_TIMEOUT_MS = (WAIT_S + 10) * 1000;
const TOKEN_MARGIN_MS = 5000; // a token that ends sooner is renewed before it is used
const BACKOFF_LEAST_MS = 1000;
const BACKOFF_MOST_MS = 60_000;
const RETRY_AFTER_MOST_S = 600;
const AT_ONCE_MS = 500; // a wait that ends sooner was not waited for: another panel took its place
const KEEP_S = 24 * 3600;
const UNTAGGED_PAUSE_MS = 10_000; // where no ETag comes through there is nothing to wait with
const MEMORY_PREFIX = 'purchase-sync ';

export class PurchaseSyncError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message, { status, retryAfter, requestId } = /** @type {any} */ ({})) {
    super(message);
    this.name = 'PurchaseSyncError';
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
    this.requestId = requestId;
  }
}

/** Whether an error says nothing about the person, so that the last answer may still do. @param {PurchaseSyncError} error */
const passing = ({ status }) => status === undefined || status >= 500 || status === 408 || status === 429;

const strange = () => new PurchaseSyncError('strange_answer', 'The licence service gave an answer that makes no sense.');
const closed = () => new PurchaseSyncError('closed', 'The connection to the licence service was closed.');

// ---- Calls ------------------------------------------------------------------------------------

/** Seconds or a date, as RFC 9110 has it; undefined if it is neither. @param {string | null} text */
function retryAfterOf(text) {
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), RETRY_AFTER_MOST_S);
}

/** The error that an answer is. @param {Response} answer */
async function problemOf(answer) {
  const more = {
    status: answer.status,
    retryAfter: retryAfterOf(answer.headers.get('Retry-After')),
    requestId: answer.headers.get('X-Request-Id') ?? undefined,
  };
  const problem = await answer.json().catch(() => null);
  const code = typeof problem?.code === 'string' ? problem.code : `http_${answer.status}`;
  const message = problem?.detail ?? problem?.title ?? `The licence service answered ${answer.status}.`;
  return new PurchaseSyncError(code, String(message), more);
}

/** The claims of an idToken, unverified: they only choose what to remember. @param {string} token */
function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
  } catch {
    return {};
  }
}

// Signed requests to the service, each with a deadline, all ended by close().
class Caller {
  #api;
  #getIdToken;
  #closing = new AbortController();
  /** @type {string | null} */
  #token = null;

  /** @param {string} api @param {() => Promise<string>} getIdToken */
  constructor(api, getIdToken) {
    this.#api = api;
    this.#getIdToken = getIdToken;
  }

  close() {
    this.#closing.abort();
  }

  // Who asks, as Miro's token says, as the name of a place to remember answers in; null before the first token.
  get subject() {
    const { sub, user, team } = this.#token === null ? /** @type {any} */ ({}) : claimsOf(this.#token);
    return user === undefined ? null : `${this.#api} ${sub} ${team} ${user}`;
  }

  /** @param {AbortSignal} signal */
  async #bearer(signal) {
    if (this.#token !== null) {
      const { exp } = claimsOf(this.#token);
      if (typeof exp === 'number' && exp * 1000 - Date.now() < TOKEN_MARGIN_MS) this.#token = null;
    }
    if (this.#token !== null) return this.#token;
    try {
      this.#token = await orAborted(this.#getIdToken(), signal);
    } catch {
      if (signal.aborted) throw signal.reason;
      throw new PurchaseSyncError('id_token_unavailable', 'Miro did not say who you are. Is the app allowed on this board?');
    }
    return this.#token;
  }

  // Asks, and once more with another token if this one's time was over. Throws a PurchaseSyncError, or the signal's
  // reason.
  /** @param {string} path @param {{body?: unknown, etag?: string, timeout?: number, signal?: AbortSignal}} [options] */
  async ask(path, { body, etag, timeout = PLAIN_TIMEOUT_MS, signal } = {}) {
    if (this.#closing.signal.aborted) throw closed();
    const limit = new AbortController();
    const end = () => limit.abort(this.#closing.signal.aborted ? closed() : signal?.reason);
    const timer = setTimeout(() => {
      limit.abort(new PurchaseSyncError('timeout', 'The licence service did not answer in time.'));
    }, timeout);
    const sources = signal === undefined ? [this.#closing.signal] : [this.#closing.signal, signal];
    for (const source of sources) source.addEventListener('abort', end, { once: true });
    try {
      if (signal?.aborted) end();
      limit.signal.throwIfAborted();
      const { answer, error } = await this.#send(path, body, etag, limit.signal);
      if (error?.code !== 'token_expired') return this.#settled(answer, error);
      this.#token = null;
      const again = await this.#send(path, body, etag, limit.signal);
      return this.#settled(again.answer, again.error);
    } catch (error) {
      if (limit.signal.aborted) throw limit.signal.reason;
      throw error;
    } finally {
      clearTimeout(timer);
      for (const source of sources) source.removeEventListener('abort', end);
    }
  }

  /** @param {string} path @param {unknown} body @param {string | undefined} etag @param {AbortSignal} signal */
  async #send(path, body, etag, signal) {
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${await this.#bearer(signal)}` };
    if (etag !== undefined) headers['If-None-Match'] = etag;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const answer = await fetch(this.#api + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal,
    }).catch(() => {
      throw new PurchaseSyncError('network', 'The licence service cannot be reached.');
    });
    if (answer.ok || answer.status === 304) return { answer: await readWhole(answer), error: null };
    return { answer: null, error: await problemOf(answer) };
  }

  /** @param {{status: number, etag: string | undefined, json: any} | null} answer @param {PurchaseSyncError | null} error */
  #settled(answer, error) {
    if (answer !== null) return answer;
    if (error?.status === 401) this.#token = null;
    throw error ?? strange();
  }
}

/** Status, ETag and body, all of it, so that the deadline covers the body too. @param {Response} answer */
async function readWhole(answer) {
  const etag = answer.headers.get('ETag') ?? undefined;
  const text = await answer.text().catch(() => {
    throw new PurchaseSyncError('network', 'The connection to the licence service broke.');
  });
  try {
    return { status: answer.status, etag, json: text === '' ? null : JSON.parse(text) };
  } catch {
    throw strange();
  }
}

/** A promise that a signal can end. @template T @param {Promise<T>} promise @param {AbortSignal} signal @returns {Promise<T>} */
function orAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

// ---- Answers ----------------------------------------------------------------------------------

/** Refuses what a panel could not show. @param {any} json */
function checked(json) {
  const whole = json !== null && typeof json === 'object' && typeof json.identity?.state === 'string' &&
    Array.isArray(json.entitlements) && json.entitlements.every((/** @type {any} */ item) => typeof item?.key === 'string');
  if (!whole) throw strange();
  return json;
}

const nothing = { user: null, team: null, entitlements: [], identity: { state: 'unknown' }, version: null };

// The last answer, and since when it is known to be true; also in the browser's storage, under the asking user.
class Memory {
  #storage;
  #keepMs;
  /** @type {{json: any, etag: string | undefined, at: number, current: boolean} | null} */
  #last = null;

  /** @param {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null} storage @param {number} keepMs */
  constructor(storage, keepMs) {
    this.#storage = storage;
    this.#keepMs = keepMs;
  }

  get etag() {
    return this.#last?.etag;
  }

  /** A new answer, or with no json the news that the last one still holds. @param {string | null} subject @param {any} [json] @param {string} [etag] */
  confirm(subject, json, etag) {
    if (json === undefined && this.#last === null) throw strange();
    this.#last = { json: json ?? this.#last?.json, etag: json === undefined ? this.#last?.etag : etag, at: Date.now(), current: true };
    if (subject !== null) this.#write(subject);
  }

  /** The service says that the last answer is not this user's to have. */
  forget() {
    this.#last = null;
  }

  /** No newer answer can be had: what was remembered has to do. @param {string | null} subject */
  fail(subject) {
    if (this.#last === null && subject !== null) this.#last = this.#read(subject);
    if (this.#last !== null) this.#last.current = false;
    if (this.#last !== null && Date.now() - this.#last.at > this.#keepMs) this.#last = null;
  }

  /** @returns {Answer | null} */
  get answer() {
    return this.#last === null ? null : shown(this.#last.json, this.#last.at, !this.#last.current);
  }

  /** @param {string} subject */
  #write(subject) {
    try {
      this.#storage?.setItem(MEMORY_PREFIX + subject, JSON.stringify({ at: this.#last?.at, json: this.#last?.json }));
    } catch {
      this.#storage = null; // full or forbidden: this document's own memory is left
    }
  }

  /** @param {string} subject */
  #read(subject) {
    try {
      const { at, json } = JSON.parse(this.#storage?.getItem(MEMORY_PREFIX + subject) ?? '');
      return at <= Date.now() ? { json: checked(json), etag: undefined, at, current: false } : null;
    } catch {
      return null;
    }
  }
}

/** @param {any} json @param {number | null} at @param {boolean} old @returns {Answer} */
function shown(json, at, old) {
  const keys = new Set(json.entitlements.map((/** @type {any} */ item) => item.key));
  const behind = typeof json.stale_seconds === 'number' ? json.stale_seconds : 0;
  return {
    ...json,
    stale: old || json.stale_seconds !== undefined,
    asOf: at === null ? null : new Date(at - behind * 1000),
    has: (key) => keys.has(key),
  };
}

// ---- Following --------------------------------------------------------------------------------

/** Half of it certain, half by chance, so that many panels do not come back at one time. @param {number} failures @param {number} [retryAfter] */
function pauseAfter(failures, retryAfter = 0) {
  const span = Math.min(BACKOFF_LEAST_MS * 2 ** Math.min(failures - 1, 10), BACKOFF_MOST_MS);
  return Math.max(retryAfter * 1000 + Math.random() * BACKOFF_LEAST_MS, span * (0.5 + Math.random() / 2));
}

/** Resolves after a time, or at the signal. @param {number} ms @param {AbortSignal} signal */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve(undefined);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

const page = typeof document === 'undefined' ? null : document;
const visible = () => page === null || page.visibilityState === 'visible';

// Asks again and again while somebody listens and looks: never two requests at a time. A round is one stretch of that;
// its first request is answered at once, the ones after wait for news.
class Follower {
  #step;
  #wanted = false;
  /** @type {AbortController | null} */
  #round = null;
  #running = Promise.resolve();
  #look = () => this.#decide();
  #again = () => this.restart();

  /** `step` asks once, and resolves to the time to pause. @param {(wait: boolean, signal: AbortSignal) => Promise<{pause: number, live: boolean}>} step */
  constructor(step) {
    this.#step = step;
  }

  /** @param {boolean} wanted */
  want(wanted) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    const change = wanted ? 'addEventListener' : 'removeEventListener';
    page?.[change]('visibilitychange', this.#look);
    if (typeof window !== 'undefined') window[change]('online', this.#again);
    this.#decide();
  }

  // Drops what waits and asks at once.
  restart() {
    this.#stop();
    this.#decide();
  }

  #stop() {
    this.#round?.abort(closed());
    this.#round = null;
  }

  #decide() {
    if (!this.#wanted || !visible()) {
      this.#stop();
    } else if (this.#round === null) {
      const round = new AbortController();
      this.#round = round;
      this.#running = this.#running.then(() => this.#run(round.signal));
    }
  }

  /** @param {AbortSignal} signal */
  async #run(signal) {
    let wait = false;
    while (!signal.aborted) {
      const { pause: ms, live } = await this.#step(wait, signal);
      wait = live;
      if (ms > 0 && !signal.aborted) await pause(ms, signal);
    }
  }
}

// ---- The whole --------------------------------------------------------------------------------

/** Only what a browser may be sent to. @param {string} text */
function webAddress(text) {
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw strange();
  return url.href;
}

/** A window for an address that may still have to be asked for; null where none may be opened. @param {string} [url] */
function openWindow(url) {
  const opened = window.open(url ?? 'about:blank', '_blank');
  if (opened !== null) opened.opener = null;
  return opened;
}

/** @param {(answer: any) => void} listener @param {unknown} news */
function tell(listener, news) {
  try {
    listener(news);
  } catch (error) {
    reportError(error); // the listener's own mistake: shown, but following goes on
  }
}

/** What the browser remembers in; null where it may not. */
function browserStorage() {
  try {
    return globalThis.localStorage ?? null;
  } catch {
    return null;
  }
}

/** @implements {PurchaseSync} @typedef {import('./purchase-sync.js').PurchaseSync} PurchaseSync */
class Client {
  #api;
  #app;
  #caller;
  #memory;
  #follower = new Follower((wait, signal) => this.#follow(wait, signal));
  /** @type {Set<(answer: Answer) => void>} */
  #listeners = new Set();
  /** @type {Set<(error: import('./purchase-sync.js').PurchaseSyncError) => void>} */
  #errorListeners = new Set();
  /** @type {Promise<void> | null} */
  #asking = null;
  #live = false; // a request waits for news of the last answer, which therefore holds
  #failures = 0;
  #hasty = 0; // waits in a row that ended at once
  #notBefore = 0; // when the service wants to be asked again
  #told = '';

  /** @param {import('./purchase-sync.js').Options} options */
  constructor({ api, getIdToken, app, keepSeconds = KEEP_S, storage = browserStorage() }) {
    this.#api = webAddress(api).replace(/\/+$/, '');
    this.#app = app;
    const miro = () => /** @type {any} */ (globalThis).miro.board.getIdToken();
    this.#caller = new Caller(this.#api, async () => (getIdToken ?? miro)());
    this.#memory = new Memory(storage, keepSeconds * 1000);
  }

  /** @returns {Promise<Answer>} */
  async entitlements() {
    if (this.#live && this.#memory.answer !== null) return this.#memory.answer;
    return this.#refresh();
  }

  /** @param {string} key */
  async has(key) {
    return (await this.entitlements()).has(key);
  }

  /** @param {string} key */
  async why(key) {
    const { json } = await this.#caller.ask(`/v1/entitlements/${encodeURIComponent(key)}`);
    if (typeof json?.reason !== 'string') throw strange();
    return json;
  }

  /** @param {(answer: Answer) => void} listener */
  onChange(listener) {
    const own = (/** @type {Answer} */ answer) => listener(answer);
    this.#listeners.add(own);
    const known = this.#memory.answer;
    if (this.#told !== '' && known !== null) queueMicrotask(() => this.#listeners.has(own) && tell(own, known));
    this.#follower.want(true);
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#follower.want(false);
    };
  }

  /** @param {(error: import('./purchase-sync.js').PurchaseSyncError) => void} listener */
  onError(listener) {
    const own = (/** @type {any} */ error) => listener(error);
    this.#errorListeners.add(own);
    return () => { this.#errorListeners.delete(own); };
  }

  connect() {
    const url = `${this.#api}/oauth/start${this.#app === undefined ? '' : `?app=${encodeURIComponent(this.#app)}`}`;
    return { url, opened: openWindow(url) !== null };
  }

  // The window is opened before the address is asked for: browsers open none once the click is over.
  /** @param {import('./purchase-sync.js').Product} product */
  async buy({ source, product }) {
    const opened = openWindow();
    try {
      const { json } = await this.#caller.ask('/v1/checkout', { body: { source, product: String(product) } });
      if (typeof json?.reference !== 'string') throw strange();
      const url = typeof json.url === 'string' ? webAddress(json.url) : null;
      if (url === null) opened?.close();
      else opened?.location.replace(url);
      return { reference: json.reference, url, opened: opened !== null && url !== null };
    } catch (error) {
      opened?.close();
      throw error;
    }
  }

  /** @param {string} email */
  async claim(email) {
    const address = email.trim();
    await this.#caller.ask('/v1/claims', { body: { email: address } });
    return { email: address, confirm: (/** @type {string} */ code) => this.#confirm(address, code) };
  }

  /** @param {string} email @param {string} code */
  async #confirm(email, code) {
    await this.#caller.ask('/v1/claims/confirm', { body: { email, code: code.replace(/[\s-]/g, '') } });
    await this.#asking?.catch(() => undefined); // begun before the address was proved
    this.#live = false;
    this.#follower.restart();
    return this.#refresh();
  }

  close() {
    this.#listeners.clear();
    this.#errorListeners.clear();
    this.#follower.want(false);
    this.#caller.close();
  }

  // Asks without waiting; whoever asks meanwhile gets the same answer.
  #plain() {
    this.#asking ??= this.#check(false).finally(() => { this.#asking = null; });
    return this.#asking;
  }

  /** The present answer, or the kept one. @returns {Promise<Answer>} */
  async #refresh() {
    try {
      await this.#plain();
    } catch (error) {
      if (/** @type {PurchaseSyncError} */ (error).code === 'closed' || this.#memory.answer === null) throw error;
    }
    if (this.#memory.answer === null) throw strange();
    return this.#memory.answer;
  }

  /** Brings the memory up to date, or throws; tells the listeners either way. @param {boolean} wait @param {AbortSignal} [signal] */
  async #check(wait, signal) {
    try {
      const answer = await this.#caller.ask(`/v1/entitlements${wait ? `?wait=${WAIT_S}` : ''}`, {
        etag: this.#memory.etag, timeout: wait ? WAIT_TIMEOUT_MS : PLAIN_TIMEOUT_MS, signal,
      });
      if (answer.status === 304) this.#memory.confirm(this.#caller.subject);
      else this.#memory.confirm(this.#caller.subject, checked(answer.json), answer.etag);
      this.#failures = 0;
    } catch (problem) {
      const error = /** @type {PurchaseSyncError} */ (problem);
      if (!passing(error)) this.#memory.forget();
      else if (error.code !== 'closed') this.#memory.fail(this.#caller.subject);
      throw error;
    } finally {
      this.#tellAnswer();
    }
  }

  // One request of a round: never throws, and paces what comes next.
  /** @param {boolean} wait @param {AbortSignal} signal */
  async #follow(wait, signal) {
    const early = this.#notBefore - Date.now();
    if (early > 0) return { pause: early, live: false };
    const began = performance.now();
    try {
      this.#live = wait;
      if (wait) await this.#check(true, signal);
      else await this.#plain();
      if (this.#memory.etag === undefined) return { pause: UNTAGGED_PAUSE_MS * (0.5 + Math.random()), live: false };
      this.#hasty = wait && performance.now() - began < AT_ONCE_MS ? this.#hasty + 1 : 0;
      return { pause: this.#hasty > 1 ? pauseAfter(this.#hasty - 1) : 0, live: true };
    } catch (problem) {
      const error = /** @type {PurchaseSyncError} */ (problem);
      if (signal.aborted || error.code === 'closed') return { pause: 0, live: false };
      this.#failures += 1;
      this.#notBefore = Date.now() + (error.retryAfter ?? 0) * 1000;
      for (const listener of this.#errorListeners) tell(listener, error);
      return { pause: pauseAfter(this.#failures, error.retryAfter), live: false };
    } finally {
      this.#live = false;
    }
  }

  // Tells what is known, if it is something else than was told last.
  #tellAnswer() {
    const answer = this.#memory.answer ?? shown(nothing, null, true);
    const news = `${answer.version} ${answer.stale} ${answer.identity.state}`;
    if (news === this.#told || (this.#told === '' && answer.version === null)) return;
    this.#told = news;
    for (const listener of this.#listeners) tell(listener, answer);
  }
}

/** @type {typeof import('./purchase-sync.js').purchaseSync} */
export const purchaseSync = (options) => {
  const client = new Client(options);
  return {
    entitlements: () => client.entitlements(),
    has: (key) => client.has(key),
    why: (key) => client.why(key),
    onChange: (listener) => client.onChange(listener),
    onError: (listener) => client.onError(listener),
    connect: () => client.connect(),
    buy: (product) => client.buy(product),
    claim: (email) => client.claim(email),
    close: () => client.close(),
  };
};
