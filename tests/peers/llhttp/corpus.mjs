/*
 * Streams of requests, most of them broken in one to three ways: the same ones for the same seed.
 * Bytes are kept as latin1 strings.
 */

/* xorshift32: small, seeded, and the same everywhere. */
export function random(seed) {
    let state = seed >>> 0 || 1;
    const next = () => {
        state ^= state << 13;
        state >>>= 0;
        state ^= state >>> 17;
        state ^= state << 5;
        state >>>= 0;
        return state;
    };
    return {
        below: (n) => next() % n,
        chance: (n) => next() % n === 0,
        pick: (list) => list[next() % list.length],
    };
}

const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS',
    'PROPFIND', 'M-SEARCH', 'REPORT'];
const TARGETS = ['/', '/v1/entitlements?wait=25', '/webhooks/main-store', '/a/../b', '/%00', '/?',
    '/a;b=c?d[]=e&f', '//x', '/~|{}\\^`"<>'];
const HEADERS = ['Accept: */*', 'User-Agent: peer/1.0', 'X-Empty:', 'X-Blank:   ',
    'X-WC-Webhook-Signature: aGVsbG8=', 'Authorization: Bearer e30.e30.c2ln', 'x-lower:v',
    'X-Tab:\ta\tb\t', 'X-High: \xc3\xa4\xff', 'Cookie: a=b; c="d"', 'If-None-Match: "f3a9", W/"x"',
    'Connection: keep-alive', 'Expect: 100-continue', "X-!#$%&'*+.^_`|~: token"];

function chunked(rng, body) {
    let out = '';
    for (let at = 0; at < body.length;) {
        const size = 1 + rng.below(Math.min(40, body.length - at));
        const hex = size.toString(16);
        out += rng.pick([hex, hex.toUpperCase(), '0' + hex, '000' + hex])
            + rng.pick(['', '', '', ';a', ';a=b', ';a="b c;\\"d"', ';a=b;c="d"']) + '\r\n'
            + body.slice(at, at + size) + '\r\n';
        at += size;
    }
    return out + rng.pick(['0', '0', '000']) + rng.pick(['', '', ';end']) + '\r\n'
        + rng.pick(['', '', '', 'X-Trailer: 1\r\n', 'X-A:\r\nX-B: b \r\n',
            rng.chance(8) ? 'Content-Length: 9\r\n' : ''])
        + '\r\n';
}

const BODIES = ['', 'a', '{"id":12}', 'GET /hidden HTTP/1.1\r\nHost: b\r\n\r\n', '0\r\n\r\n',
    'x'.repeat(300), '\x00\x01\xff\r\n'];

/* A request that both are to accept, as a list of lines and a body. */
function request(rng, last) {
    const minor = rng.chance(8) ? 0 : 1;
    const method = rng.pick(METHODS);
    const target = method === 'OPTIONS' && rng.chance(2) ? '*' : rng.pick(TARGETS);
    const lines = [`${method} ${target} HTTP/1.${minor}`];
    lines.push('Host: ' + rng.pick(['a.example', 'a.example:8080', '127.0.0.1', '[::1]:80']));
    for (let i = rng.below(4); i > 0; i--) {
        lines.push(rng.pick(HEADERS));
    }
    if (minor === 0 && !last) {
        lines.push('Connection: keep-alive');
    }
    if (rng.chance(12)) {
        lines.push('Connection: close');
    }
    let body = rng.chance(2) ? rng.pick(BODIES) : '';
    if (minor === 1 && rng.chance(3)) {
        lines.push('Transfer-Encoding: ' + rng.pick(['chunked', 'Chunked', 'CHUNKED']));
        body = chunked(rng, body);
    } else if (body !== '' || rng.chance(4)) {
        lines.push(rng.pick(['Content-Length: ', 'content-length:', 'Content-Length:\t'])
            + rng.pick(['', '', '', '0', '00']) + body.length + rng.pick(['', '', '', '', ' ', ' ', rng.chance(8) ? '\t' : '']));
    }
    if (rng.chance(3)) { /* the framing need not stand last */
        lines.splice(1 + rng.below(lines.length - 1), 0, lines.splice(1 + rng.below(lines.length - 1), 1)[0]);
    }
    return { lines, body };
}

const BYTES = ['\0', '\r', '\n', '\r\n', ' ', '\t', ':', ';', ',', '"', '\\', '\x01', '\x0b', '\x7f',
    '\x80', '\xa0', '\xff', '+', '-', '0', '1', 'x', 'a', 'F', '/', '#', '?', '@', '=', '(', '\x1b'];
const FIRST_LINES = ['GET / HTTP/1.0', 'GET / HTTP/1.2', 'GET / HTTP/2.0', 'GET / HTTP/0.9', 'GET /',
    'GET / http/1.1', 'GET / HTTP/1.1 ', 'GET / HTTP/01.1', 'GET / HTTP/1.10', 'GET  / HTTP/1.1',
    'GET /  HTTP/1.1', ' GET / HTTP/1.1', 'GET\t/ HTTP/1.1', 'GET / HTTP/1,1', 'GET / HTTPS/1.1',
    'GET http://a.example/ HTTP/1.1', 'GET https://u:p@b/x HTTP/1.1', 'GET * HTTP/1.1', 'GET a HTTP/1.1',
    'GET a.example:80 HTTP/1.1', 'GET /a#b HTTP/1.1', 'GET /\x80 HTTP/1.1', 'GET /\t HTTP/1.1',
    'GET / a HTTP/1.1', 'CONNECT a.example:443 HTTP/1.1', 'CONNECT / HTTP/1.1', 'get / HTTP/1.1',
    'BREW / HTTP/1.1', 'GETX / HTTP/1.1', 'G / HTTP/1.1', 'ABCDEFGHIJKLMNOPQRS / HTTP/1.1',
    'PRI * HTTP/2.0', 'SOURCE / HTTP/1.1', 'SOURCE / ICE/1.0', 'GET / RTSP/1.0', 'DESCRIBE / RTSP/1.0',
    'DESCRIBE / HTTP/1.1', 'HTTP/1.1 200 OK', 'OPTIONS * HTTP/1.1', 'OPTIONS / HTTP/1.1', ''];
const FRAMING = ['Content-Length: 0', 'Content-Length: 5', 'Content-Length: +5', 'Content-Length: -5',
    'Content-Length: 5, 5', 'Content-Length: 5 5', 'Content-Length: 0x5', 'Content-Length: 5;',
    'Content-Length:', 'Content-Length: 1234567890123456789', 'Content-Length: 18446744073709551616',
    'Content-Length : 5', 'Content-Length\t: 5', ' Content-Length: 5', 'Content-Length: \x0b5',
    'Content-Length: 5\x00', 'Content-Length: 1e1', 'Content_Length: 5', 'X-Content-Length: 5',
    'Transfer-Encoding: chunked', 'Transfer-Encoding: xchunked', 'Transfer-Encoding: chunkedx',
    'Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked, gzip', 'Transfer-Encoding: gzip', 'Transfer-Encoding: identity',
    'Transfer-Encoding: chunked;q=1', 'Transfer-Encoding: "chunked"', 'Transfer-Encoding:',
    'Transfer-Encoding: chunked,', 'Transfer-Encoding: ,chunked', 'Transfer-Encoding: \x0bchunked',
    'Transfer-Encoding:\tchunked\t', 'Transfer-Encoding : chunked', 'Transfer_Encoding: chunked',
    'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked', 'Transfer-Encoding:\r\n chunked',
    'TE: chunked', 'Trailer: X', 'Content-Encoding: gzip', 'Proxy-Connection: close'];
const HOSTS = ['Host:', 'Host: ', 'Host: a b', 'Host: a,b', 'Host: a/b', 'Host: u@a', 'Host: a:b',
    'Host: a:99999', 'Host: [::1', 'Host: []', 'Host: %61', 'Host: a\x80', 'Host : a', 'host: b', 'HOST: a_b'];
const CONNECTIONS = ['Connection: close', 'Connection: keep-alive, close', 'Connection: close, foo',
    'Connection: Close', 'Connection: foo', 'Connection:', 'Connection: ,close,', 'Connection: closed',
    'Connection: keep-alive', 'Connection: close\t', 'Expect: 200-ok', 'Expect: 100-Continue'];
const CHUNK_BODIES = ['+2\r\nhi\r\n0\r\n\r\n', '0x2\r\nhi\r\n0\r\n\r\n', '-2\r\nhi\r\n0\r\n\r\n',
    ' 2\r\nhi\r\n0\r\n\r\n', '2 \r\nhi\r\n0\r\n\r\n', '2\t\r\nhi\r\n0\r\n\r\n', '2 ;a\r\nhi\r\n0\r\n\r\n',
    '2\nhi\r\n0\r\n\r\n', '2\r\nhi\n0\r\n\r\n', '2\r\nhi0\r\n\r\n', '2\r\nhi\r0\r\n\r\n', '3\r\nhi\r\n0\r\n\r\n',
    '1\r\nhi\r\n0\r\n\r\n', '2\rhi\r\n0\r\n\r\n', '\r\n', '0\n\n', '0\r\n\n', '0\r\n\r', '0\r\n',
    '00000002\r\nhi\r\n0\r\n\r\n', '000000002\r\nhi\r\n0\r\n\r\n', '0000000000000000002\r\nhi\r\n0\r\n\r\n',
    'ffffffffffffffff2\r\nhi\r\n0\r\n\r\n', '100000002\r\nhi\r\n0\r\n\r\n', 'g\r\nhi\r\n0\r\n\r\n',
    '2;\r\nhi\r\n0\r\n\r\n', '2;a=\r\nhi\r\n0\r\n\r\n', '2;=b\r\nhi\r\n0\r\n\r\n', '2; a=b\r\nhi\r\n0\r\n\r\n',
    '2;a =b\r\nhi\r\n0\r\n\r\n', '2;a="b\r\nhi\r\n0\r\n\r\n', '2;a="b"c\r\nhi\r\n0\r\n\r\n',
    '2;a\nhi\r\n0\r\n\r\n', '2;a\x00\r\nhi\r\n0\r\n\r\n', '2;a="\x01"\r\nhi\r\n0\r\n\r\n',
    '2;' + 'a'.repeat(300) + '\r\nhi\r\n0\r\n\r\n', '0\r\nX : 1\r\n\r\n', '0\r\nnocolon\r\n\r\n',
    '0\r\nX: 1\r\n fold\r\n\r\n', '0\r\nX: 1\n\r\n', '0\r\n: 1\r\n\r\n', '0\r\nX: a\x00\r\n\r\n',
    '0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n', '0\r\nX: ' + 'a'.repeat(5000) + '\r\n\r\n'];
const ENDS = ['\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', '', '\r\n ', '\r\n\t', ' \r\n', '\x0b\r\n', '\0\r\n'];

const anyLine = (rng, parts) => rng.below(parts.lines.length);
const anyHeader = (rng, parts) => 1 + rng.below(Math.max(1, parts.lines.length - 1));

/* Ways to break a request while it is still lines. */
const ON_LINES = [
    (rng, parts) => { parts.lines[0] = rng.pick(FIRST_LINES); },
    (rng, parts) => { parts.lines.splice(anyHeader(rng, parts), 0, rng.pick(FRAMING)); },
    (rng, parts) => { parts.lines.splice(anyHeader(rng, parts), 0, rng.pick(FRAMING)); },
    (rng, parts) => { parts.lines.splice(anyHeader(rng, parts), 0, rng.pick(HOSTS)); },
    (rng, parts) => { parts.lines = parts.lines.filter((line) => !/^host/i.test(line)); },
    (rng, parts) => {
        parts.lines = parts.lines.filter((line) => !/^host/i.test(line));
        parts.lines.splice(1, 0, rng.pick(HOSTS));
    },
    (rng, parts) => { parts.lines.splice(anyHeader(rng, parts), 0, rng.pick(CONNECTIONS)); },
    (rng, parts) => { const at = anyLine(rng, parts); parts.lines.splice(at, 0, parts.lines[at]); },
    (rng, parts) => { parts.lines.splice(anyLine(rng, parts), 1); },
    (rng, parts) => { parts.lines.push(...Array(rng.pick([40, 60, 61, 70])).fill('X-Many: 1')); },
    (rng, parts) => { parts.lines.push('X-Long: ' + 'a'.repeat(rng.pick([5000, 16000, 17000]))); },
    (rng, parts) => { parts.lines.push(rng.pick(['', ':', ': x', ' ', 'nocolon', 'a b: c', 'X\x80: 1', '(x): 1', 'X;: 1'])); },
    (rng, parts) => {
        parts.lines = parts.lines.filter((line) => !/^(content-length|transfer-encoding)/i.test(line));
        parts.lines.push('Transfer-Encoding: chunked');
        parts.body = rng.pick(CHUNK_BODIES);
    },
    (rng, parts) => {
        parts.lines = parts.lines.filter((line) => !/^(content-length|transfer-encoding)/i.test(line));
        parts.lines.push('Transfer-Encoding: chunked');
        parts.body = rng.pick(CHUNK_BODIES);
    },
    (rng, parts) => { parts.ends[anyLine(rng, parts)] = rng.pick(ENDS); },
    (rng, parts) => { parts.lead = rng.pick(['\r\n', '\r\n\r\n', '\n', '\r', ' ', '\0', '\t\r\n']); },
];

/* Ways to break it once it is bytes. */
const ON_BYTES = [
    (rng, text) => { const at = rng.below(text.length + 1); return text.slice(0, at) + rng.pick(BYTES) + text.slice(at); },
    (rng, text) => { const at = rng.below(text.length); return text.slice(0, at) + rng.pick(BYTES) + text.slice(at + 1); },
    (rng, text) => { const at = rng.below(text.length); return text.slice(0, at) + text.slice(at + 1 + rng.below(3)); },
    (rng, text) => { const at = rng.below(text.length); return text.slice(0, at) + String.fromCharCode(rng.below(256)) + text.slice(at + 1); },
    (rng, text) => text.slice(0, rng.below(text.length)),
    (rng, text) => { const at = rng.below(text.length), to = at + rng.below(20); return text.slice(0, to) + text.slice(at); },
];

function render(parts) {
    let text = parts.lead;
    parts.lines.forEach((line, at) => { text += line + (parts.ends[at] ?? '\r\n'); });
    return text + (parts.ends[parts.lines.length] ?? '\r\n') + parts.body;
}

/* One to three requests behind one another, the whole broken in nought to three ways. */
export function stream(rng) {
    const count = 1 + rng.below(3);
    const broken = rng.below(4);
    const requests = [];
    for (let i = 0; i < count; i++) {
        requests.push({ lead: '', ends: {}, ...request(rng, i === count - 1) });
    }
    let onBytes = 0;
    for (let i = 0; i < broken; i++) {
        if (rng.chance(2)) {
            rng.pick(ON_LINES)(rng, rng.pick(requests));
        } else {
            onBytes++;
        }
    }
    let text = requests.map(render).join('');
    for (let i = 0; i < onBytes; i++) {
        text = text.length > 0 ? rng.pick(ON_BYTES)(rng, text) : text;
    }
    return text;
}
