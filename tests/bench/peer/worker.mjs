// The worker as a competent Node developer writes it: one transaction a delivery, as many at a time as the pool has
// connections.
//
//     NODE_ENV=production node worker.mjs SETTINGS.json     ends when nothing is due; prints how many it processed
import { Catalogue, readOrder } from './order.mjs';
import { now, setUp } from './setup.mjs';
import { addressContext, bodyContext } from './vault.mjs';

const LANES = 16;
const LOOK_AHEAD = 512;
const TRIES = 10;
const DEADLOCK = 'ER_LOCK_DEADLOCK';

const { settings, pool, vault, sourceId } = await setUp(process.argv[2]);
const [[[version, text]]] = await pool.query(
  'SELECT version, text FROM catalogue_version ORDER BY version DESC LIMIT 1',
);
const catalogue = new Catalogue(version, text);

const groups = (count, group) => new Array(count).fill(group).join(',');
const describe = (item) => `${item.state} x${item.quantity}`;

async function putFacts(connection, order, index, deliveryId, time) {
  if (index !== null) {
    await connection.execute(
      'INSERT INTO address (address_index, sealed, first_seen_at) VALUES (?,?,?) ON DUPLICATE KEY UPDATE'
      + ' first_seen_at = LEAST(first_seen_at, VALUES(first_seen_at))',
      [index, vault.seal('address', addressContext(index), order.address), order.time],
    );
  }
  const [snapshot] = await connection.execute(
    'INSERT INTO order_snapshot (source_id, order_id, digest, time, status, paid_at, total, address_state,'
    + ' address_index, delivery_id, recorded_at) VALUES (?,?,?,?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE time = time',
    [sourceId, order.id, order.digest, order.time, order.status, order.paidAt, order.total,
      index === null ? 'absent' : 'real', index, deliveryId, time],
  );
  if (snapshot.affectedRows !== 1 || order.lines.length === 0) return;
  await connection.execute(
    'INSERT INTO order_line (source_id, order_id, digest, line_id, product, variant, sku, quantity) VALUES '
    + groups(order.lines.length, '(?,?,?,?,?,?,?,?)'),
    order.lines.flatMap((line) => [sourceId, order.id, order.digest, line.id, line.product, line.variant, line.sku,
      line.quantity]),
  );
}

// What stands, by line and key.
async function standing(connection, order) {
  const [rows] = await connection.execute(
    'SELECT line_id, entitlement_key, subject, state, quantity, starts_at, ends_at, grace_until FROM contribution'
    + ' WHERE source_id = ? AND order_id = ?',
    [sourceId, order.id],
  );
  return new Map(rows.map(([line, key, subject, state, quantity, startsAt, endsAt, graceUntil]) => [
    `${line}\n${key}`,
    { line: line.toString(), key: key.toString(), subject, state, quantity, startsAt, endsAt, graceUntil },
  ]));
}

const isSame = (was, is, subject) => was.subject.equals(subject) && was.state === is.state
  && was.quantity === is.quantity && was.startsAt === is.startsAt && was.endsAt === is.endsAt
  && was.graceUntil === is.graceUntil;

// [what to write, what to drop, what to tell the audit]
function compare(was, is, subject) {
  const put = [];
  const drop = [];
  const changes = [];
  for (const [place, item] of is) {
    const old = was.get(place);
    if (old && isSame(old, item, subject)) continue;
    put.push(item);
    const before = old ? describe(old) : null;
    changes.push({ item, action: old ? 'changed' : 'granted', before, after: describe(item) });
  }
  for (const [place, item] of was) {
    if (is.has(place)) continue;
    drop.push(item);
    changes.push({ item, action: 'dropped', before: describe(item), after: null });
  }
  return [put, drop, changes];
}

async function putContributions(connection, order, subject, put) {
  await connection.execute(
    'INSERT INTO contribution (source_id, order_id, line_id, entitlement_key, subject, subject_kind, state, quantity,'
    + ` starts_at, ends_at, grace_until, catalogue_version) VALUES ${groups(put.length, '(?,?,?,?,?,?,?,?,?,?,?,?)')}`
    + ' ON DUPLICATE KEY UPDATE subject = VALUES(subject), subject_kind = VALUES(subject_kind),'
    + ' state = VALUES(state), quantity = VALUES(quantity), starts_at = VALUES(starts_at), ends_at = VALUES(ends_at),'
    + ' grace_until = VALUES(grace_until), catalogue_version = VALUES(catalogue_version)',
    put.flatMap((item) => [sourceId, order.id, item.line, item.key, subject, 'address', item.state, item.quantity,
      item.startsAt, item.endsAt, item.graceUntil, catalogue.version]),
  );
}

async function putDifference(connection, order, subject, was, deliveryId, time) {
  const is = subject === null ? new Map() : catalogue.project(settings.source, order);
  const [put, drop, changes] = compare(was, is, subject);
  if (changes.length === 0) return;
  for (const item of drop) {
    await connection.execute(
      'DELETE FROM contribution WHERE source_id = ? AND order_id = ? AND line_id = ? AND entitlement_key = ?',
      [sourceId, order.id, item.line, item.key],
    );
  }
  if (put.length > 0) await putContributions(connection, order, subject, put);
  await connection.execute(
    'INSERT INTO audit (at, cause, cause_id, action, source_id, order_id, line_id, entitlement_key, subject,'
    + ` before_value, after_value) VALUES ${groups(changes.length, "(?,'delivery',?,?,?,?,?,?,?,?,?)")}`,
    changes.flatMap(({ item, action, before, after }) => [time, String(deliveryId), action, sourceId, order.id,
      item.line, item.key, subject ?? item.subject, before, after]),
  );
  const touched = new Map([subject, ...[...was.values()].map((item) => item.subject)]
    .filter((one) => one !== null).map((one) => [one.toString('hex'), one]));
  await connection.execute(
    `INSERT INTO change_feed (subject, changed_at) VALUES ${groups(touched.size, '(?,?)')}`,
    [...touched.values()].flatMap((one) => [one, time]),
  );
}

// The order's row is its lock. A new order is written whole at once, and there is nothing to compare with.
async function apply(connection, order, deliveryId, time) {
  const index = order.address === null ? null : vault.index(order.address);
  const kind = index === null ? 'none' : 'address';
  const [row] = await connection.execute(
    'INSERT INTO shop_order (source_id, order_id, catalogue_version, status, subject_kind, first_seen_at, merged_at,'
    + ' order_key) VALUES (?,?,?,?,?,?,?,?) ON DUPLICATE KEY UPDATE revision = revision + 1',
    [sourceId, order.id, catalogue.version, order.status, kind, time, time, order.key],
  );
  if (row.affectedRows === 1) {
    await putFacts(connection, order, index, deliveryId, time);
    await putDifference(connection, order, index, new Map(), deliveryId, time);
    return;
  }
  const [[newest]] = await connection.execute(
    'SELECT time FROM order_snapshot WHERE source_id = ? AND order_id = ? ORDER BY time DESC LIMIT 1',
    [sourceId, order.id],
  );
  await putFacts(connection, order, index, deliveryId, time);
  if (newest !== undefined && newest[0] > order.time) return;
  await connection.execute(
    'UPDATE shop_order SET catalogue_version = ?, status = ?, subject_kind = ?, merged_at = ?'
    + ' WHERE source_id = ? AND order_id = ?',
    [catalogue.version, order.status, kind, time, sourceId, order.id],
  );
  await putDifference(connection, order, index, await standing(connection, order), deliveryId, time);
}

// True if the delivery was there to be processed.
async function transact(connection, id) {
  const time = now();
  await connection.query('START TRANSACTION');
  const [[row]] = await connection.execute(
    "SELECT delivery_key, body FROM peer_delivery WHERE id = ? AND state = 'pending' AND due_at <= ?"
    + ' FOR UPDATE SKIP LOCKED',
    [id, time],
  );
  if (row === undefined) {
    await connection.query('ROLLBACK');
    return false;
  }
  const [key, sealed] = row;
  const order = readOrder(vault.open('body', bodyContext(sourceId, key), sealed));
  if (order !== null) await apply(connection, order, id, time);
  await connection.execute(
    'UPDATE peer_delivery SET state = ?, reason = ?, processed_at = ? WHERE id = ?',
    [order === null ? 'set_aside' : 'done', order === null ? 'not_an_order' : '', time, id],
  );
  await connection.query('COMMIT');
  return true;
}

async function processOne(connection, id) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await transact(connection, id);
    } catch (error) {
      await connection.query('ROLLBACK');
      if (error.code !== DEADLOCK || tries === TRIES) throw error;
    }
  }
}

// What is due, looked up ahead of the lanes and without locks; those under way are left out.
class Due {
  constructor() {
    this.ids = [];
    this.underWay = new Set();
    this.looking = null;
  }

  // On the lane's own connection: the lanes hold all that the pool has.
  async look(connection) {
    const [rows] = await connection.query(
      "SELECT id FROM peer_delivery WHERE state = 'pending' AND due_at <= ? ORDER BY due_at LIMIT ?",
      [now(), LOOK_AHEAD],
    );
    this.ids = rows.map(([id]) => id).filter((id) => !this.underWay.has(id)).reverse();
    this.looking = null;
  }

  async next(connection) {
    if (this.ids.length === 0) await (this.looking ??= this.look(connection));
    const id = this.ids.pop();
    if (id !== undefined) this.underWay.add(id);
    return id;
  }
}

const due = new Due();
let processed = 0;

async function lane() {
  const connection = await pool.getConnection();
  for (let id = await due.next(connection); id !== undefined; id = await due.next(connection)) {
    if (await processOne(connection, id)) processed += 1;
    due.underWay.delete(id);
  }
  connection.release();
}

await Promise.all(Array.from({ length: LANES }, lane));
await pool.end();
console.log(JSON.stringify({ processed }));
