// A mail server that does as it is told: one JSON line on stdin changes how it answers, one JSON line on stdout
// tells each mail that it took. {"rcpt": 451} refuses recipients so, null takes them again.
//
//   node smtp.mjs '{"port": 2525, "key": FILE, "cert": FILE, "starttls": true, "secure": false, "user": "u", "password": "p"}'
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { SMTPServer } from 'smtp-server';

const options = JSON.parse(process.argv[2]);
const manners = { rcpt: null };

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function refusal(code) {
  return Object.assign(new Error('refused on purpose'), { responseCode: code });
}

const server = new SMTPServer({
  secure: options.secure === true,
  key: options.key ? readFileSync(options.key) : undefined,
  cert: options.cert ? readFileSync(options.cert) : undefined,
  hideSTARTTLS: options.starttls !== true,
  authOptional: options.user === undefined,
  disabledCommands: options.user === undefined ? ['AUTH'] : [],
  allowInsecureAuth: true,
  disableReverseLookup: true,
  logger: false,
  onAuth(auth, session, done) {
    const good = auth.username === options.user && auth.password === options.password;
    done(good ? null : refusal(535), { user: auth.username });
  },
  onRcptTo(address, session, done) {
    if (manners.rcpt !== null) say({ refused: manners.rcpt, secure: session.secure });
    done(manners.rcpt === null ? null : refusal(manners.rcpt));
  },
  onData(stream, session, done) {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      say({
        from: session.envelope.mailFrom.address,
        to: session.envelope.rcptTo.map((rcpt) => rcpt.address),
        secure: session.secure,
        user: session.user ?? null,
        data: Buffer.concat(chunks).toString('latin1'),
      });
      done();
    });
  },
});

// A client that hangs up in the middle of TLS is this server's daily bread.
server.on('error', (error) => say({ error: error.code ?? error.message }));
server.listen(options.port, '127.0.0.1', () => say({ listening: options.port }));
createInterface({ input: process.stdin })
  .on('line', (line) => { Object.assign(manners, JSON.parse(line)); say({ manners }); })
  .on('close', () => process.exit(0));
