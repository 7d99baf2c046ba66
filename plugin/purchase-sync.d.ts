// What a Miro plugin needs of Purchase Sync. docs/plugin.md shows how it is used.

/** One thing that the user may use now. */
export interface Entitlement {
  readonly key: string;
  /** `grace`: a payment is late, and the key is still theirs for some days. */
  readonly status: 'active' | 'grace';
  readonly quantity: number;
  /** RFC 3339, UTC; null for never. */
  readonly expires_at: string | null;
}

/**
 * What the service knows of the person, and where that leads:
 *
 * - `linked`: nothing to do; purchases made with their Miro address are in the answer. `claim()` adds another address.
 * - `not_installed`, `reauthorize`: `connect()`.
 * - `no_email`: Miro told no address, or somebody else holds it: `claim()`, or `buy()`, which needs none.
 * - `unknown`: the service cannot be reached, and the last answer is too old to be kept.
 */
export type IdentityState = 'linked' | 'not_installed' | 'reauthorize' | 'no_email' | 'unknown';

export interface Answer {
  readonly user: string | null;
  readonly team: string | null;
  readonly entitlements: readonly Entitlement[];
  readonly identity: { readonly state: IdentityState };
  readonly version: string | null;
  /** A short code that the seller's support can look up, where the service gives one. */
  readonly support_code?: string;
  /** True when the answer is an old one: the network, the service or its database is away. */
  readonly stale: boolean;
  /** When the answer was last known to be true; null if there is none. */
  readonly asOf: Date | null;
  has(key: string): boolean;
}

/** Why one key is or is not unlocked. */
export interface Reason {
  readonly key: string;
  readonly entitled: boolean;
  readonly reason:
    | 'active' | 'grace' | 'never_bought' | 'pending' | 'refunded' | 'disputed' | 'expired' | 'cancelled'
    | 'seat_limit' | 'unknown_key';
  readonly expires_at: string | null;
}

/** A product as the catalogue names it: the shop's section and the product's id there. */
export interface Product {
  readonly source: string;
  readonly product: string;
}

export interface Checkout {
  /** What the order has to carry, so that it finds its buyer without an address. */
  readonly reference: string;
  /** The shop's page with the reference in it; null if the catalogue names none. */
  readonly url: string | null;
  /** False if no window could be opened: show a link to `url`. */
  readonly opened: boolean;
}

export interface Opened {
  readonly url: string;
  /** False if no window could be opened: show a link to `url`. */
  readonly opened: boolean;
}

export interface Claim {
  readonly email: string;
  /** Proves the address with the code of the mail; resolves to what is unlocked now. */
  confirm(code: string): Promise<Answer>;
}

export interface Options {
  /** The service's public address, such as `https://sync.example.com`. */
  api: string;
  /** Gives an idToken; `miro.board.getIdToken()` unless told. */
  getIdToken?: () => Promise<string>;
  /** The app's name at the service, if it serves several (`[miro NAME]`). */
  app?: string;
  /** For how many seconds an answer is kept while no newer one can be had; a day unless told. */
  keepSeconds?: number;
  /** Where the last answer outlives the panel; `localStorage` unless told, null for nowhere. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null;
}

export interface PurchaseSync {
  /**
   * What the user may use. While changes are followed it is the last answer, which is current; otherwise the service
   * is asked. When that fails, the last answer is given for `keepSeconds`, with `stale` true; after that it rejects.
   */
  entitlements(): Promise<Answer>;
  /** Whether the user may use it, by `entitlements()`. It is a promise: `if (await sync.has('icons-pro'))`. */
  has(key: string): Promise<boolean>;
  /** Why a key is or is not unlocked. */
  why(key: string): Promise<Reason>;
  /**
   * Tells each new answer, the first included, while the document is visible, until the function that it returns is
   * called. An answer that becomes old, or current again, is told too.
   */
  onChange(listener: (answer: Answer) => void): () => void;
  /** Tells why following fails; it is tried again by itself. Returns a function that ends it. */
  onError(listener: (error: PurchaseSyncError) => void): () => void;
  /** Opens the app's authorisation at Miro. Call it in a click's own handler, or the window is blocked. */
  connect(): Opened;
  /** Opens the shop with a signed reference to the buyer. Call it in a click's own handler. */
  buy(product: Product): Promise<Checkout>;
  /** Has a code sent to an address that purchases were made with. It resolves the same whether any were. */
  claim(email: string): Promise<Claim>;
  /** Ends everything that is under way; the object is of no use afterwards. */
  close(): void;
}

/** `message` is for the person at the screen, `code` for the program. */
export class PurchaseSyncError extends Error {
  constructor(code: string, message: string, more?: { status?: number; retryAfter?: number; requestId?: string });
  /**
   * The answer's own code (docs/http-api.md lists them), or `network`, `timeout`, `strange_answer`,
   * `id_token_unavailable`, `closed`.
   */
  readonly code: string;
  /** The HTTP status, if there was an answer. */
  readonly status?: number;
  /** In how many seconds the service wants to be asked again, if it said so. */
  readonly retryAfter?: number;
  /** The service's log lines about the request begin with it. */
  readonly requestId?: string;
}

export function purchaseSync(options: Options): PurchaseSync;
