// The library that Miro's own examples use mints idTokens; the front verifies what is right, and nothing else.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { check, environment } from './support.mjs';

const { clientId, clientSecret, user, team } = environment();
const claims = { user, team };
const usual = { algorithm: 'HS256', issuer: 'miro', subject: clientId, expiresIn: '1h' };

function mint(options = {}, payload = claims, secret = clientSecret) {
  return jsonwebtoken.sign(payload, secret, { ...usual, ...options });
}

async function expect(token, status, code) {
  const [gotStatus, body] = await check(token);
  assert.equal(gotStatus, status, JSON.stringify(body));
  if (code) assert.equal(body.code, code);
  return body;
}

assert.equal((await expect(mint(), 200)).user, user);
await expect(mint({ expiresIn: -30 }), 200); // within the leeway of 60 s
await expect(mint({ expiresIn: -90 }), 401, 'token_expired');
await expect(mint({ notBefore: 30 }), 200);
await expect(mint({ notBefore: 120 }), 401, 'token_invalid');
await expect(mint({ algorithm: 'HS512' }), 401, 'token_invalid');
await expect(mint({ algorithm: 'HS384' }), 401, 'token_invalid');
await expect(mint({ issuer: 'Miro' }), 401, 'token_invalid');
await expect(mint({ subject: '1' }), 401, 'token_invalid');
await expect(mint({}, claims, `${clientSecret}x`), 401, 'token_invalid');
await expect(mint({}, { team }), 401, 'token_invalid');
await expect(jsonwebtoken.sign({ ...claims, sub: clientId, iss: 'miro' }, clientSecret), 401, 'token_invalid');
await expect(jsonwebtoken.sign({ ...claims, sub: clientId, iss: 'miro', exp: 4102444800 }, '', { algorithm: 'none' }),
  401, 'token_invalid');
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
await expect(mint({ algorithm: 'RS256' }, claims, privateKey), 401, 'token_invalid');
await expect(mint({}, { ...claims, iat: Math.floor(Date.now() / 1000) + 600 }), 401, 'token_invalid');
await expect(mint({ header: { crit: ['b64'], b64: true } }), 401, 'token_invalid');
await expect(undefined, 401, 'token_missing');
console.log('jsonwebtoken agrees');
