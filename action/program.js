// Where the program comes from: the input `binary`, this commit's release, or this commit's source.
'use strict';

const { spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { basename, dirname, join, resolve } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');
const { gunzipSync } = require('node:zlib');
const { input, temporary, workspace } = require('./workflow');

async function program() {
  if (input('binary')) return resolve(workspace(), input('binary'));
  const { from, sha256 } = JSON.parse(readFileSync(join(__dirname, 'checksums.json'), 'utf8'));
  return from ? released(from, sha256) : built();
}

/** Downloads a release's program, or takes it from the tool cache. What was verified is what is written and run. */
async function released(from, checksums) {
  const [release, asset] = [basename(from), `crossfade-${process.platform}-${process.arch}.gz`];
  // Tests put an address on this machine in its place; nothing else can.
  const { CROSSFADE_DOWNLOAD_FROM: other, RUNNER_TOOL_CACHE: cached } = process.env;
  const address = /^http:\/\/127\.0\.0\.1:\d+$/.test(other) ? other : from;
  const wanted = checksums[asset];
  if (!wanted) throw new Error(`${release} has no ${asset}: name a program for this machine in the input \`binary\``);
  const cache = join(cached || temporary('cache'), 'crossfade', release, asset);
  let bytes = existsSync(cache) && readFileSync(cache);
  if (!bytes || digest(bytes) !== wanted) bytes = await download(`${address}/${asset}`, wanted, cache);
  const path = join(temporary('program'), process.platform === 'win32' ? 'crossfade.exe' : 'crossfade');
  writeFileSync(path, gunzipSync(bytes), { mode: 0o755 });
  return path;
}

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

async function download(url, wanted, cache) {
  const bytes = await fetched(url);
  if (digest(bytes) !== wanted) throw new Error(`${url} is not what was released: its SHA-256 is ${digest(bytes)}, not ${wanted}`);
  mkdirSync(dirname(cache), { recursive: true });
  // Another job of this machine may read it at this moment.
  writeFileSync(`${cache}.${process.pid}`, bytes);
  renameSync(`${cache}.${process.pid}`, cache);
  return bytes;
}

async function fetched(url, tries = 3) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(60_000) });
    if (!answer.ok) throw Object.assign(new Error(`status ${answer.status}`), { forGood: answer.status === 404 });
    return Buffer.from(await answer.arrayBuffer());
  } catch (error) {
    if (tries === 1 || error.forGood) throw new Error(`cannot download ${url}: ${error.cause?.message ?? error.message}`);
    return pause(1000).then(() => fetched(url, tries - 1));
  }
}

function built() {
  const args = ['build', '--release', '--locked', '--package', 'crossfade'];
  const { status } = spawnSync('cargo', args, { cwd: dirname(__dirname), stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error('cannot build crossfade: take a released version, install Rust first, or name a program in `binary`');
  return join(dirname(__dirname), 'target', 'release', 'crossfade');
}

module.exports = { program };
