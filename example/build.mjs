// Builds the booking site: `node build.mjs --version 1.4.2 --out dist [--fail NAME]…`
// The same input gives the same bytes. The output appears whole or not at all.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const SWITCHES = {
  'health-basic': 'the basic health check is red',
  'health-database': 'the database health check is red',
  'health-external': 'the health check of external services is red',
  'smoke-auth': 'signing in fails',
  'smoke-booking': 'creating a booking fails',
  'smoke-cancel': 'cancelling says so and does not',
  'smoke-calendar': 'the calendar answers without an event',
  'smoke-payment': 'payments are declined',
  'real-host': 'everything fails, but only behind the public host',
  'slow': 'every answer takes 2 s (slow=500: 500 ms)',
  'missing-asset': 'the page names a script that is not there',
  'wrong-version': 'it calls itself by another version',
};

const here = dirname(fileURLToPath(import.meta.url));
const ACCENTS = ['#2456c8', '#0d7a5f', '#8a3ffc', '#b3420e', '#a11d5c', '#0a6c8f'];

/** Builds one version into `out`. */
export function build({ version, out, fail = [] }) {
  if (!/^[\x21\x23-\x5b\x5d-\x7e]{1,64}$/.test(version)) throw new Error(`\`${version}\` is not a version`);
  const switches = new Map(fail.filter(Boolean).map((name) => name.split('=')));
  for (const name of switches.keys()) {
    if (!(name in SWITCHES)) throw new Error(`there is no switch \`${name}\`; known: ${Object.keys(SWITCHES).join(', ')}`);
  }
  const source = (name) => readFileSync(join(here, 'src', name), 'utf8');
  const digest = (text) => createHash('sha256').update(text).digest('hex');
  const named = switches.has('wrong-version') ? `${version}-other` : version;
  const files = new Map();
  const fingerprinted = (name, text) => {
    const [stem, extension] = name.split('.');
    const path = `${stem}.${digest(text).slice(0, 10)}.${extension}`;
    files.set(`assets/${path}`, text);
    return path;
  };
  const accent = ACCENTS[parseInt(digest(version).slice(0, 4), 16) % ACCENTS.length];
  const css = fingerprinted('site.css', source('site.css').replace('__ACCENT__', accent));
  let js = fingerprinted('app.js', `${source('app.js')}// ${version}\n`);
  if (switches.has('missing-asset')) {
    files.delete(`assets/${js}`);
    js = js.replace('app.', 'app.gone.');
  }
  const fill = (text) => text.replaceAll('__VERSION__', version).replaceAll('__CSS__', css).replaceAll('__JS__', js);
  files.set('index.html', fill(source('index.html')));
  files.set('404.html', '<!doctype html><title>Not found</title><p>There is no such page. <a href="/">Home</a></p>\n');
  files.set('version.json', `${JSON.stringify({ version: named })}\n`);
  files.set('_headers', '/assets/*\n  cache-control: public, max-age=31536000, immutable\n');
  const delay = switches.has('slow') ? Number(switches.get('slow') ?? 2000) : 0;
  if (!Number.isFinite(delay)) throw new Error(`\`slow=${switches.get('slow')}\` is not a number of milliseconds`);
  files.set('_worker.js', source('worker.js')
    .replace('__VERSION__', version)
    .replace('__NAMED_VERSION__', named)
    .replace('__FAIL__', JSON.stringify([...switches.keys()]))
    .replace('__DELAY_MS__', String(delay)));

  const target = resolve(out);
  const fresh = `${target}.new-${process.pid}`;
  for (const [path, text] of files) {
    mkdirSync(dirname(join(fresh, path)), { recursive: true });
    writeFileSync(join(fresh, path), text);
  }
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
  return [...files.keys()].sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: {
      version: { type: 'string' }, out: { type: 'string', default: join(here, 'dist') }, fail: { type: 'string', multiple: true },
    } });
    const env = process.env;
    const version = values.version ?? env.BOOKING_VERSION ?? env.CROSSFADE_VERSION;
    if (!version) throw new Error('give the version: --version 1.4.2, BOOKING_VERSION or CROSSFADE_VERSION');
    const fail = values.fail ?? (env.BOOKING_FAIL ?? '').split(',');
    const files = build({ version, out: values.out, fail });
    console.log(`${version}: ${files.length} files in ${values.out}`);
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exitCode = 2;
  }
}
