/*
 * What llhttp, as Node has it, reads in a stream of requests, with every leniency off.
 */
import { createRequire } from 'node:module';
import { METHODS } from 'node:http';

const { HTTPParser } = createRequire(import.meta.url)('_http_common');
const STRICT = 0;
const HEAD_MAX = 1 << 20; /* our own limits are not to be compared */

/* Each callback's place in a parser of Node's. */
const ON_HEADERS = HTTPParser.kOnHeaders | 0;
const ON_HEADERS_COMPLETE = HTTPParser.kOnHeadersComplete | 0;
const ON_BODY = HTTPParser.kOnBody | 0;
const ON_MESSAGE_COMPLETE = HTTPParser.kOnMessageComplete | 0;

function newParser() {
    const parser = new HTTPParser();
    parser.initialize(HTTPParser.REQUEST, {}, HEAD_MAX, STRICT);
    return parser;
}

/* Names of methods by llhttp's numbers, which differ from version to version. */
const methodNames = new Map();
for (const name of METHODS) {
    const parser = newParser();
    parser[ON_HEADERS_COMPLETE] = (major, minor, headers, method) => {
        methodNames.set(method, name);
        return 0;
    };
    const target = name === 'CONNECT' ? 'a:1' : '/';
    parser.execute(Buffer.from(`${name} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`));
}

export const knownMethods = new Set(METHODS);
export const version = Number.parseInt(process.versions.llhttp, 10);

/* {verdict, code, requests}: verdict and requests as driver.c tells them. */
export function read(bytes) {
    const requests = [];
    let open = null;     /* the request whose body is being read */
    let early = null;    /* what came of a head that comes in parts */
    let upgraded = false;
    const parser = newParser();

    parser[ON_HEADERS] = (headers, url) => {
        if (open === null) { /* else they are trailers, which both drop */
            early = { headers: [...(early?.headers ?? []), ...headers], url: (early?.url ?? '') + url };
        }
    };
    parser[ON_HEADERS_COMPLETE] = (major, minor, headers, method, url, status, reason, upgrade, keepAlive) => {
        const pairs = [...(early?.headers ?? []), ...(headers ?? [])];
        let text = `${methodNames.get(method)} ${url ?? early?.url} ${minor}\n`;
        for (let i = 0; i < pairs.length; i += 2) {
            text += `${pairs[i]}: ${pairs[i + 1]}\n`;
        }
        open = { text: text + '\n', whole: false, keepAlive };
        requests.push(open);
        early = null;
        upgraded ||= upgrade;
        return 0;
    };
    parser[ON_BODY] = (piece, start, length) => {
        const part = start === undefined ? piece : piece.subarray(start, start + length);
        open.text += part.toString('latin1');
    };
    parser[ON_MESSAGE_COMPLETE] = () => {
        open.whole = true;
        open = null;
    };

    const tell = (verdict, code) => ({
        verdict, code,
        requests: requests.map((one) => one.text + (one.whole ? '\nwhole' : '\npart')),
    });
    const result = parser.execute(bytes);
    if (result instanceof Error) {
        return tell(result.code === 'HPE_CLOSED_CONNECTION' ? 'closed' : 'refused', result.code);
    }
    if (upgraded) {
        return tell('closed', 'UPGRADE');
    }
    if (open === null && requests.at(-1)?.keepAlive === false) {
        return tell('closed', ''); /* versions before 9 drop what follows without a word */
    }
    const end = parser.finish();
    return tell(end instanceof Error || open !== null ? 'more' : 'all', end?.code ?? '');
}
