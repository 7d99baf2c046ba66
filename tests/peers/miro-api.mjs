// Miro's own client completes OAuth on the stand-in, reads the token's info, refreshes, and revokes.
import assert from 'node:assert/strict';
import { Miro } from '@mirohq/miro-api';
import { allow, environment } from './support.mjs';

const { sandbox, clientId, clientSecret, redirectUrl, user, team } = environment();

// The client's token URL is fixed to Miro's own host, whatever basePath says; only that is replaced here.
class LocalMiro extends Miro {
  async getToken(userId, params) {
    const url = new URL('/v1/oauth/token', this.basePath);
    url.search = new URLSearchParams(params).toString();
    const response = await fetch(url, { method: 'POST' });
    if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status });
    const body = await response.json();
    this.tokens = body;
    await this.storage.set(userId, {
      userId: body.user_id ?? user, accessToken: body.access_token, refreshToken: body.refresh_token,
      tokenExpiresAt: body.expires_in ? new Date(Date.now() + (body.expires_in - 120) * 1000).toISOString() : undefined,
    });
    return body.access_token;
  }
}

const miro = new LocalMiro({ clientId, clientSecret, redirectUrl, basePath: sandbox });
const authorize = new URL(miro.getAuthUrl('state-of-ours', team));
const target = await allow(new URL(authorize.pathname + authorize.search, sandbox), user, team);
assert.equal(target.searchParams.get('state'), 'state-of-ours');
assert.equal(target.searchParams.get('client_id'), clientId);

await miro.exchangeCodeForAccessToken(user, target.toString());
assert.equal(miro.tokens.user_id, user);
assert.equal(typeof miro.tokens.team_id, 'string');
await assert.rejects(miro.exchangeCodeForAccessToken(user, target.toString()), { status: 401 }, 'a code is spent once');

const info = await miro.as(user)._api.tokenInfo();
assert.equal(info.body.user.id, user);
assert.equal(info.body.team.id, team);

const before = miro.tokens;
await miro.getToken(user, {
  grant_type: 'refresh_token', client_id: clientId, client_secret: clientSecret, refresh_token: before.refresh_token,
});
assert.notEqual(miro.tokens.refresh_token, before.refresh_token);
assert.equal(miro.tokens.user_id, undefined, 'a refresh does not repeat the user');
assert.equal(typeof miro.tokens.team_id, 'number');
await assert.rejects(miro.getToken(user, {
  grant_type: 'refresh_token', client_id: clientId, client_secret: clientSecret, refresh_token: before.refresh_token,
}), 'a refresh token is spent once');

await miro.revokeToken(user);
await assert.rejects(miro.as(user)._api.tokenInfo());
console.log('@mirohq/miro-api agrees');
