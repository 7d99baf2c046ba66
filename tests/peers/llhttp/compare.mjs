#!/usr/bin/env node
/*
 * Our HTTP parser and llhttp read the same streams of requests.
 *
 *     node compare.mjs DRIVER [COUNT [SEED]]
 *
 * Where both accept, both read the same. Where llhttp accepts and we refuse, the rule is one that
 * docs/http-rules.md names under "Stricter than llhttp". Where we accept and llhttp refuses, the case
 * is one that it names under "More liberal than llhttp". What it names with "before 9" holds for
 * versions of llhttp before 9 alone, such as that of Debian 12's own Node.js.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { random, stream } from './corpus.mjs';
import { knownMethods, read, version } from './llhttp.mjs';

const [driver, count = '30000', seed = '20261123'] = process.argv.slice(2);
if (driver === undefined) {
    console.error('usage: node compare.mjs DRIVER [COUNT [SEED]]');
    process.exit(2);
}

/* The names in backticks that begin the rows of one section of the documentation. */
function documented(title) {
    const text = readFileSync(new URL('../../../docs/http-rules.md', import.meta.url), 'utf8');
    const section = text.split(/^## /m).find((part) => part.startsWith(title + '\n')) ?? '';
    return new Set([...section.matchAll(/^- `([^`]+)`( \(before 9\))?:/gm)]
        .filter((match) => match[2] === undefined || version < 9).map((match) => match[1]));
}
const stricter = documented('Stricter than llhttp');
const liberal = documented('More liberal than llhttp');
const faultsOfTheirs = documented('Faults of llhttp');

function ours(streams) {
    const parts = [];
    for (const bytes of streams) {
        const prefix = Buffer.alloc(4);
        prefix.writeUInt32BE(bytes.length);
        parts.push(prefix, bytes);
    }
    const run = spawnSync(driver, { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
    if (run.status !== 0) {
        throw new Error(`${driver} failed: ${run.error ?? run.stderr}`);
    }
    return run.stdout.toString('latin1').trimEnd().split('\n').map((line) => {
        const [verdict, rule, hex] = line.split(' ');
        const requests = hex ? hex.split(',').map((one) => Buffer.from(one, 'hex').toString('latin1')) : [];
        return { verdict, rule, requests };
    });
}

const isWhole = (request) => request.endsWith('\nwhole');
const wholeOnes = (reading) => reading.requests.filter(isWhole).length;

/* Why we may accept what llhttp refuses, or undefined. */
function liberalReason(text, us, them) {
    const next = us.requests[wholeOnes(them)];
    if (next === undefined) {
        return undefined;
    }
    const method = next.slice(0, next.indexOf(' '));
    const withinChunks = them.requests.length > wholeOnes(them) && /^transfer-encoding: /im.test(next);
    if (/^HPE_INVALID_(METHOD|CONSTANT)$/.test(them.code) && !knownMethods.has(method)) {
        return 'unknown-method';
    }
    if (them.code === 'HPE_INVALID_CONTENT_LENGTH' && !withinChunks
        && /^content-length:[ \t]*[0-9]+ *\t[ \t]*\r$/im.test(text)) {
        return 'length-then-tab';
    }
    if (/^HPE_INVALID_(CONTENT_LENGTH|TRANSFER_ENCODING)$/.test(them.code) && withinChunks
        && /^(content-length|transfer-encoding):/im.test(text)) {
        return 'framing-trailer';
    }
    return undefined;
}

const same = (us, them, count) =>
    us.requests.slice(0, count).every((request, i) => request === them.requests[i]);

/* We refuse: fine if llhttp does too, or cannot know yet, else the rule must be documented. */
function judgeOurRefusal(us, them) {
    const behind = wholeOnes(them) <= wholeOnes(us);
    if (them.verdict === 'refused' && behind) {
        return { outcome: 'both refuse' };
    }
    if (them.verdict === 'more' && them.requests.length <= wholeOnes(us)) {
        return { outcome: 'not yet judged' };
    }
    return stricter.has(us.rule) ? { outcome: 'we refuse', name: us.rule }
        : { fault: `refused by ${us.rule}, which is not documented as stricter` };
}

/* llhttp refuses and we do not: fine if we cannot know yet, else the case must be documented. */
function judgeTheirRefusal(text, us, them) {
    if (us.verdict === 'more' && us.requests.length <= wholeOnes(them)) {
        return { outcome: 'not yet judged' };
    }
    const reason = liberalReason(text, us, them);
    return liberal.has(reason) ? { outcome: 'llhttp refuses', name: reason }
        : { fault: `llhttp refuses: ${them.code}` };
}

/* Content-Length among the trailers, which llhttp before 9 keeps for the next request. */
const hasTrailerLength = (text) => /^0+(;[^\r\n]*)?\r\n([^\r\n]+\r\n)*?content-length:/im.test(text);

/* {outcome, name} or {fault}. */
function judge(bytes, us, them) {
    const text = bytes.toString('latin1');
    const ourWhole = wholeOnes(us), theirWhole = wholeOnes(them);
    const agree = judgeReadings(text, us, them, ourWhole, theirWhole);
    if (agree.fault === undefined) {
        return agree;
    }
    if (hasTrailerLength(text) && faultsOfTheirs.has('trailer-length')) {
        return { outcome: 'llhttp is at fault', name: 'trailer-length' };
    }
    const waitsForLf = us.verdict === 'more' && us.requests.length === ourWhole
        && /\r[^\n]+$/.test(text);
    if (waitsForLf && faultsOfTheirs.has('cr-ends-head')) {
        return { outcome: 'llhttp is at fault', name: 'cr-ends-head' };
    }
    return agree;
}

function judgeReadings(text, us, them, ourWhole, theirWhole) {
    if (!same(us, them, Math.min(ourWhole, theirWhole))) {
        return { fault: 'a request is read differently' };
    }
    if (them.verdict === 'closed' && (ourWhole > theirWhole || us.verdict === 'refused' || us.verdict === 'more')
        && ourWhole >= theirWhole && /^proxy-connection:/im.test(text) && liberal.has('proxy-connection')) {
        return { outcome: 'llhttp closes sooner', name: 'proxy-connection' };
    }
    if (us.verdict === 'refused') {
        return judgeOurRefusal(us, them);
    }
    if (us.verdict === 'closed' && theirWhole >= ourWhole) {
        /* Whoever ends the connection sooner reads less, and nothing differently. */
        return { outcome: them.verdict === 'closed' ? 'both accept' : 'we close sooner' };
    }
    if (them.verdict === 'refused') {
        return judgeTheirRefusal(text, us, them);
    }
    if (us.verdict === 'more' && us.requests.length === ourWhole && them.requests.length === ourWhole) {
        return { outcome: them.verdict === 'more' ? 'both wait for more' : 'not yet judged' };
    }
    if ((us.verdict === 'more') !== (them.verdict === 'more')) {
        return { fault: `we read "${us.verdict}", llhttp "${them.verdict}"` };
    }
    if (us.requests.length !== them.requests.length || !same(us, them, us.requests.length)) {
        return { fault: 'the requests differ' };
    }
    return { outcome: us.verdict === 'more' ? 'both wait for more' : 'both accept' };
}

const rng = random(Number(seed));
const streams = Array.from({ length: Number(count) }, () => Buffer.from(stream(rng), 'latin1'));
const readings = ours(streams);
const tally = new Map(), faults = new Map();
let failed = 0;
streams.forEach((bytes, i) => {
    const us = readings[i], them = read(bytes);
    const { outcome, name, fault } = judge(bytes, us, them);
    if (fault !== undefined) {
        failed++;
        faults.set(fault, (faults.get(fault) ?? 0) + 1);
        if (faults.get(fault) <= 3) {
            console.log(`FAILED stream ${i}: ${fault}`);
            console.log(`  bytes  ${JSON.stringify(bytes.toString('latin1')).slice(0, 1500)}`);
            console.log(`  ours   ${us.verdict} ${us.rule} ${JSON.stringify(us.requests).slice(0, 500)}`);
            console.log(`  llhttp ${them.verdict} ${them.code} ${JSON.stringify(them.requests).slice(0, 500)}`);
        }
        return;
    }
    const key = name === undefined ? outcome : `${outcome}: ${name}`;
    tally.set(key, (tally.get(key) ?? 0) + 1);
});

for (const [key, times] of [...tally].sort()) {
    console.log(`${String(times).padStart(7)}  ${key}`);
}
for (const [fault, times] of [...faults].sort()) {
    console.log(`${String(times).padStart(7)}  FAILED: ${fault}`);
}
/* A corpus that one of the two refuses as a whole would compare nothing. */
if ((tally.get('both accept') ?? 0) < Number(count) / 10) {
    console.log('FAILED: fewer than one stream in ten was accepted by both');
    failed++;
}
console.log(`llhttp ${process.versions.llhttp}, seed ${seed}`);
console.log(`${Number(count) - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
