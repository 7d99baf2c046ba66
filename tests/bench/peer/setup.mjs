// What front and worker have in common: the settings file that the benchmark wrote, the pool, the source's number.
import { readFileSync } from 'node:fs';
import mysql from 'mysql2/promise';
import { Vault } from './vault.mjs';

const POOL = 16;

const firstLine = (path) => readFileSync(path, 'utf8').split('\n', 1)[0];

// { settings, pool, vault, sourceId, secrets }
export async function setUp(path) {
  const settings = JSON.parse(readFileSync(path, 'utf8'));
  const pool = mysql.createPool({
    socketPath: settings.socket,
    user: settings.user,
    password: firstLine(settings.passwordFile),
    database: settings.database,
    connectionLimit: POOL,
    maxIdle: POOL,
    queueLimit: 0,
    rowsAsArray: true,
  });
  const vault = new Vault(firstLine(settings.keyringFile));
  const [[[sealed]]] = await pool.query("SELECT sealed FROM sealed_key WHERE purpose = 'blind_index'");
  vault.loadIndexKey(sealed);
  const [[[sourceId]]] = await pool.query('SELECT id FROM source WHERE name = ?', [settings.source]);
  const secrets = { miro: firstLine(settings.miroSecretFile), webhook: firstLine(settings.webhookSecretFile) };
  return { settings, pool, vault, sourceId, secrets };
}

export const now = () => Date.now() * 1000;
