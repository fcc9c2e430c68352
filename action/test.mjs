// The action's two scripts as the Actions runner starts them: one process each, inputs and state in the environment,
// outputs and state through files. The program is a stand-in that writes down how it was called.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

const directory = mkdtempSync(join(tmpdir(), 'crossfade-action-'));
after(() => rmSync(directory, { recursive: true }));

/** Starts one of the scripts with a program whose body is a shell script. */
function start(script, { body, inputs = {}, env = {} }) {
  const place = mkdtempSync(join(directory, 'step-'));
  const file = (name) => join(place, name);
  writeFileSync(file('crossfade'), `#!/bin/sh\necho "$@" > ${file('arguments')}\nenv > ${file('environment')}\n${body}\n`);
  chmodSync(file('crossfade'), 0o755);
  for (const name of ['output', 'state']) writeFileSync(file(name), '');
  const given = { binary: file('crossfade'), 'cloudflare-api-token': 'secret-1', 'crossfade-token': 'secret-2', ...inputs };
  const child = spawn(process.execPath, [new URL(script, import.meta.url).pathname], {
    env: {
      PATH: process.env.PATH,
      GITHUB_WORKSPACE: place,
      GITHUB_OUTPUT: file('output'),
      GITHUB_STATE: file('state'),
      ...Object.fromEntries(Object.entries(given).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
      ...env,
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const ended = new Promise((resolve) =>
    child.on('close', (code) => {
      const read = (name) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8') : undefined);
      const environment = read('environment')?.split('\n') ?? [];
      resolve({ code, text, called: read('arguments')?.trim(), environment, output: values(read('output')), state: values(read('state')) });
    }),
  );
  return { child, ended, file };
}

/** `NAME<<DELIMITER` files, as the runner reads them. */
function values(text) {
  return Object.fromEntries([...text.matchAll(/^(.+?)<<(.+)\n([\s\S]*?)\n\2\n/gm)].map(([, name, , value]) => [name, value]));
}

async function until(condition) {
  for (let tries = 0; !condition(); tries += 1) {
    assert.ok(tries < 500, 'it did not happen in time');
    await pause(10);
  }
}

test('the program gets its words, the secrets under their names, and none of the inputs', async () => {
  const inputs = { command: `deploy dist --message "two words"`, version: '1.2.3', environment: 'staging', 'signing-key': 'secret-3' };
  const { code, called, environment, output, state, text } = await start('main.js', { body: '', inputs }).ended;
  assert.equal(code, 0);
  assert.equal(called, 'deploy dist --message two words');
  for (const line of ['CLOUDFLARE_API_TOKEN=secret-1', 'CROSSFADE_TOKEN=secret-2', 'CROSSFADE_SIGNING_KEY=secret-3', 'CROSSFADE_VERSION=1.2.3', 'CROSSFADE_ENVIRONMENT=staging']) {
    assert.ok(environment.includes(line), line);
  }
  assert.ok(!environment.some((line) => line.startsWith('INPUT_')), 'an input leaked into the environment');
  assert.deepEqual(output, { outcome: 'done', 'exit-code': '0' });
  assert.equal(state.ended, 'done');
  assert.ok(!text.includes('secret-'), 'a secret was printed');
});

test('each exit code is an outcome, and the step ends with the same code', async () => {
  for (const [exit, outcome] of [[2, 'failed'], [3, 'not-started'], [4, 'rolled-back'], [5, 'superseded'], [6, 'stuck']]) {
    const { code, output } = await start('main.js', { body: `exit ${exit}`, inputs: { command: 'deploy' } }).ended;
    assert.deepEqual([code, output.outcome, output['exit-code']], [exit, outcome, String(exit)]);
  }
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} reaches the program, and its answer to it is waited for`, async () => {
    const name = signal.slice(3);
    const body = `trap 'echo heard ${name}; exit 4' ${name}; : > ready; while :; do sleep 0.05; done`;
    const { child, ended, file } = start('main.js', { body, inputs: { command: 'deploy' } });
    await until(() => existsSync(file('ready')));
    child.kill(signal);
    const { code, text, state } = await ended;
    assert.deepEqual([code, state.ended], [4, 'rolled-back']);
    assert.match(text, new RegExp(`heard ${name}`));
  });
}

test('post brings an abandoned release home, and does nothing when main saw the end', async () => {
  const path = start('main.js', { body: '' });
  await path.ended;
  const state = { STATE_running: path.file('crossfade') };
  const { called, environment } = await start('post.js', { body: '', env: { STATE_running: '', ...state } }).ended;
  assert.equal(called, undefined, 'post ran its own step\'s program, not the one that main named');
  assert.equal(readFileSync(path.file('arguments'), 'utf8').trim(), 'rollback --abandoned');
  assert.deepEqual(environment, []);

  rmSync(path.file('arguments'));
  for (const env of [{ ...state, STATE_ended: 'rolled-back' }, {}]) {
    const { code } = await start('post.js', { body: '', env }).ended;
    assert.equal(code, 0);
    assert.ok(!existsSync(path.file('arguments')), 'post acted on a release that had ended');
  }
});

test('post fails the step when it could not bring visitors home', async () => {
  const main = start('main.js', { body: 'exit 1' });
  await main.ended;
  const { code, text } = await start('post.js', { body: '', env: { STATE_running: main.file('crossfade') } }).ended;
  assert.equal(code, 1);
  assert.match(text, /::error::could not bring visitors back/);
});

test('an empty command and a program that is not there are said in one annotation', async () => {
  const empty = await start('main.js', { body: '', inputs: { command: ' ' } }).ended;
  assert.deepEqual([empty.code, empty.called], [1, undefined]);
  assert.match(empty.text, /::error::input `command` is empty/);
  const absent = await start('main.js', { body: '', inputs: { command: 'deploy', binary: 'nowhere/crossfade' } }).ended;
  assert.equal(absent.code, 1);
  assert.match(absent.text, /::error::cannot run .*nowhere\/crossfade/);
  assert.deepEqual(absent.state, {}, 'post would look after a release that never began');
});
