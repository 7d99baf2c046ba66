// The front as a competent Node developer writes it: fastify, fast-jwt and mysql2, one statement a request.
//
//     NODE_ENV=production node front.mjs SETTINGS.json
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import Fastify from 'fastify';
import { createVerifier } from 'fast-jwt';
import { bodyContext, sha256 } from './vault.mjs';
import { now, setUp } from './setup.mjs';

const BODY_LIMIT = 2 << 20;
const TOKENS_REMEMBERED = 20000;

// One statement for all that is known of a user: what linked addresses hold, what the user holds, what operators
// gave, and the tokens.
const STANDING = `
  SELECT 1, c.entitlement_key, c.state, c.quantity, c.ends_at, c.grace_until
    FROM link l LEFT JOIN contribution c ON c.subject = l.address_index WHERE l.user_id = ?
  UNION ALL SELECT 2, c.entitlement_key, c.state, c.quantity, c.ends_at, c.grace_until
    FROM contribution c WHERE c.subject = ?
  UNION ALL SELECT 3, g.entitlement_key, 'active', g.quantity, g.ends_at, NULL
    FROM manual_grant g WHERE g.revoked_at IS NULL AND g.user_id = ?
  UNION ALL SELECT 4, NULL, t.state, COUNT(*), NULL, NULL
    FROM miro_token t WHERE t.user_id = ? GROUP BY t.state`;

const PUT = `
  INSERT INTO peer_delivery (source_id, delivery_key, topic, received_at, last_received_at, due_at, body)
  VALUES (?,?,?,?,?,?,?)
  ON DUPLICATE KEY UPDATE times_received = times_received + 1,
    last_received_at = GREATEST(last_received_at, VALUES(received_at)),
    due_at = IF(state IN ('done','set_aside'),
                GREATEST(VALUES(received_at), processed_at + 60000000), due_at),
    state = IF(state IN ('done','set_aside'), 'pending', state)`;

const { settings, pool, vault, sourceId, secrets } = await setUp(process.argv[2]);
const verify = createVerifier({
  key: secrets.miro,
  algorithms: ['HS256'],
  allowedIss: 'miro',
  allowedSub: settings.clientId,
  requiredClaims: ['exp', 'user', 'team'],
  clockTolerance: 60000,
  cache: settings.tokenCache ? TOKENS_REMEMBERED : false,
});

function problem(reply, status, code) {
  return reply.code(status).header('content-type', 'application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: code, status, code }));
}

const later = (a, b) => (a === null || b === null ? null : Math.max(a, b));

// Live holdings by key: active wins over grace, quantities add up, the latest end counts.
function aggregate(rows, time) {
  const keys = new Map();
  for (const [kind, name, state, quantity, endsAt, graceUntil] of rows) {
    if (kind === 4 || name === null || state !== 'active') continue;
    const active = endsAt === null || time < endsAt;
    if (!active && (graceUntil === null || time >= graceUntil)) continue;
    const key = name.toString();
    const known = keys.get(key);
    if (known) {
      known.active ||= active;
      known.quantity += quantity;
      known.endsAt = later(known.endsAt, endsAt);
    } else {
      keys.set(key, { key, active, quantity, endsAt });
    }
  }
  return [...keys.values()].sort((a, b) => (a.key < b.key ? -1 : 1)).map((item) => ({
    key: item.key,
    status: item.active ? 'active' : 'grace',
    quantity: item.quantity,
    expires_at: item.endsAt === null ? null : new Date(item.endsAt / 1000).toISOString().replace('.000Z', 'Z'),
  }));
}

function identity(rows) {
  const has = (kind, state) => rows.some((row) => row[0] === kind && (state === undefined || row[2] === state));
  if (has(4, 'refused') && !has(4, 'valid')) return 'reauthorize';
  if (has(1)) return 'linked';
  return has(4, 'valid') ? 'no_email' : 'not_installed';
}

async function getEntitlements(request, reply) {
  const header = request.headers.authorization;
  if (header === undefined || !header.startsWith('Bearer ')) return problem(reply, 401, 'token_missing');
  let token;
  try {
    token = verify(header.slice(7));
  } catch (error) {
    return problem(reply, 401, error.code === 'FAST_JWT_EXPIRED' ? 'token_expired' : 'token_invalid');
  }
  const { user, team } = token;
  const [rows] = await pool.execute(STANDING, [user, sha256(user), user, user]);
  const content = JSON.stringify({
    user, team, entitlements: aggregate(rows, now()), identity: { state: identity(rows) },
  });
  const version = createHash('sha256').update(content).digest('hex').slice(0, 32);
  const etag = `"${version}"`;
  reply.header('cache-control', 'no-store').header('etag', etag);
  if (request.headers.origin === settings.origin) {
    reply.header('access-control-allow-origin', settings.origin).header('access-control-expose-headers', 'ETag')
      .header('vary', 'Origin');
  }
  if (request.headers['if-none-match'] === etag) return reply.code(304).send();
  return reply.header('content-type', 'application/json').send(`${content.slice(0, -1)},"version":"${version}"}`);
}

function signatureIsValid(body, header) {
  const made = createHmac('sha256', secrets.webhook).update(body).digest();
  const told = Buffer.from(header ?? '', 'base64');
  return told.length === made.length && timingSafeEqual(told, made);
}

async function postDelivery(request, reply) {
  const { body, headers } = request;
  if (!signatureIsValid(body, headers['x-wc-webhook-signature'])) return problem(reply, 401, 'signature_invalid');
  const key = sha256(body);
  const time = now();
  const sealed = vault.seal('body', bodyContext(sourceId, key), body);
  let result;
  try {
    const topic = headers['x-wc-webhook-topic'] ?? null;
    [result] = await pool.execute(PUT, [sourceId, key, topic, time, time, time, sealed]);
  } catch {
    return problem(reply.header('retry-after', '5'), 503, 'unavailable');
  }
  return reply.header('content-type', 'application/json')
    .send(result.affectedRows === 1 ? '{"status":"stored"}' : '{"status":"duplicate"}');
}

const app = Fastify({ logger: false, bodyLimit: BODY_LIMIT, keepAliveTimeout: 75000 });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));
app.get('/', async () => ({ status: 'ready' }));
app.get('/v1/entitlements', getEntitlements);
app.post(`/webhooks/${settings.source}`, postDelivery);
process.once('SIGTERM', async () => {
  app.server.closeAllConnections();
  await app.close();
  await pool.end();
});
await app.listen({ host: '127.0.0.1', port: settings.port });
