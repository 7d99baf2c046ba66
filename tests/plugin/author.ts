// What an author may write, and what the compiler has to refuse; it is compiled, and never run.
import { purchaseSync, PurchaseSyncError } from '../../plugin/purchase-sync.js';
import type { Answer, IdentityState } from '../../plugin/purchase-sync.js';

const sync = purchaseSync({ api: 'https://sync.example.com', keepSeconds: 600, storage: null });

export async function everything(button: HTMLButtonElement): Promise<string> {
  const answer: Answer = await sync.entitlements();
  if (await sync.has('icons-pro')) button.disabled = false;
  const stop: () => void = sync.onChange(({ stale, asOf, entitlements }) => {
    button.title = stale ? `as of ${asOf?.toISOString() ?? 'never'}` : entitlements.map(({ key }) => key).join();
  });
  sync.onError(({ code, message, retryAfter }) => console.warn(code, message, retryAfter ?? 0));
  const { opened, url } = sync.connect();
  const checkout = await sync.buy({ source: 'main-store', product: '10' });
  const claim = await sync.claim('zoe@example.test');
  const after: Answer = await claim.confirm('12345678');
  const { reason } = await sync.why('icons-pro');
  stop();
  sync.close();
  return `${answer.identity.state} ${opened} ${url} ${checkout.url} ${after.has('icons-pro')} ${reason}`;
}

export function lead(state: IdentityState): 'nowhere' | 'connect' | 'claim' | 'later' {
  switch (state) {
    case 'linked': return 'nowhere';
    case 'not_installed': return 'connect';
    case 'reauthorize': return 'connect';
    case 'no_email': return 'claim';
    case 'unknown': return 'later';
  }
}

export function codeOf(error: unknown): string | null {
  return error instanceof PurchaseSyncError ? error.code : null;
}

// @ts-expect-error: without an address there is nobody to ask
purchaseSync({});
// @ts-expect-error: a product belongs to a shop
void sync.buy('10');
// @ts-expect-error: a promise is always true; it has to be awaited
if (sync.has('icons-pro')) sync.close();
// @ts-expect-error: an answer is not written to
void sync.entitlements().then((answer) => { answer.stale = false; });
