// What is sealed at rest and how people are found again: the same envelopes and blind index as the product's, with
// node:crypto, so that both work on the same rows.
import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const VERSION = 1;
const NONCE = 12;
const TAG = 16;
const PURPOSES = {
  body: 'purchase-sync seal body v1',
  address: 'purchase-sync seal address v1',
  indexKey: 'purchase-sync seal index key v1',
};

export const sha256 = (data) => createHash('sha256').update(data).digest();

export class Vault {
  // `line` is the first of the keyring: kid:base64(32 bytes).
  constructor(line) {
    const colon = line.indexOf(':');
    const kid = Buffer.from(line.slice(0, colon));
    const key = Buffer.from(line.slice(colon + 1), 'base64');
    if (colon < 1 || key.length !== 32) throw new Error('the keyring does not begin with kid:base64(32 bytes)');
    this.head = Buffer.concat([Buffer.from([VERSION, kid.length]), kid]);
    this.keys = {};
    for (const [purpose, info] of Object.entries(PURPOSES)) {
      this.keys[purpose] = Buffer.from(hkdfSync('sha256', key, '', info, 32));
    }
  }

  // version | kid length | kid | nonce | ciphertext | tag; all before the ciphertext and the row's context are
  // authenticated with it.
  seal(purpose, context, plain) {
    const nonce = randomBytes(NONCE);
    const head = Buffer.concat([this.head, nonce]);
    const cipher = createCipheriv('aes-256-gcm', this.keys[purpose], nonce);
    cipher.setAAD(Buffer.concat([head, Buffer.from(context)]));
    return Buffer.concat([head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  open(purpose, context, sealed) {
    const length = this.head.length + NONCE;
    if (sealed.length < length + TAG || !sealed.subarray(0, this.head.length).equals(this.head)) {
      throw new Error('an envelope of another key, or cut short');
    }
    const head = sealed.subarray(0, length);
    const cipher = createDecipheriv('aes-256-gcm', this.keys[purpose], head.subarray(this.head.length));
    cipher.setAAD(Buffer.concat([head, Buffer.from(context)]));
    cipher.setAuthTag(sealed.subarray(sealed.length - TAG));
    return Buffer.concat([cipher.update(sealed.subarray(length, sealed.length - TAG)), cipher.final()]);
  }

  // The blind index key is itself sealed in the database.
  loadIndexKey(sealed) {
    this.indexKey = this.open('indexKey', 'index key', sealed);
  }

  index(address) {
    return createHmac('sha256', this.indexKey).update(address).digest();
  }
}

export const bodyContext = (sourceId, key) => `delivery.body|${sourceId}|${key.toString('hex')}`;
export const addressContext = (index) => `address.sealed|${index.toString('hex')}`;
