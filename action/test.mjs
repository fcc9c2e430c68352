// The action's two scripts as the Actions runner starts them: one process each, inputs and state in the environment,
// outputs and state through files. The program is a stand-in that writes down how it was called.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const action = dirname(fileURLToPath(import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'crossfade-action-'));
after(() => rmSync(directory, { recursive: true }));

/** The text of a program that writes down how it was called. */
const standIn = (file, body) => `#!/bin/sh\necho "$@" > ${file('arguments')}\nenv > ${file('environment')}\n${body}\n`;

/** Starts one of the scripts with a program whose body is a shell script. */
function start(script, { body = '', inputs = {}, env = {}, from = action } = {}) {
  const place = mkdtempSync(join(directory, 'step-'));
  const file = (name) => join(place, name);
  writeFileSync(file('crossfade'), standIn(file, body));
  chmodSync(file('crossfade'), 0o755);
  for (const name of ['output', 'state']) writeFileSync(file(name), '');
  const given = { mode: 'deploy', binary: file('crossfade'), apiToken: 'secret-1', crossfadeToken: 'secret-2', ...inputs };
  const child = spawn(process.execPath, [join(from, script)], {
    env: {
      PATH: process.env.PATH,
      GITHUB_WORKSPACE: place,
      GITHUB_OUTPUT: file('output'),
      GITHUB_STATE: file('state'),
      RUNNER_TEMP: place,
      ACTIONS_RUNTIME_TOKEN: 'secret-runtime',
      ...Object.fromEntries(Object.entries(given).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
      ...env,
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  const ended = new Promise((resolve) =>
    child.on('exit', (code) => {
      const read = (name) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8') : undefined);
      const environment = read('environment')?.split('\n') ?? [];
      const files = { output: values(read('output')), state: values(read('state')) };
      // What the script left running may keep its output open.
      setTimeout(() => resolve({ code, text, called: read('arguments')?.trim(), environment, ...files }), 50);
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
    assert.ok(tries < 1000, 'it did not happen in time');
    await pause(10);
  }
}

const { identity } = createRequire(import.meta.url)('./workflow.js');
/** Whether a process runs; one that has ended and that nobody has asked about does not. */
const isAlive = (pid) => identity(pid) !== '';

// They mostly wait.
describe('the action', { concurrency: true }, () => {
  test('the program gets its words, the secrets under their names, and nothing else of the step', async () => {
    const inputs = {
      command: `pages deploy dist --commit-message="two words" 'a "b'`, version: '1.2.3', environment: 'staging', config: 'x.toml',
      signingKey: 'secret-3', gitHubToken: 'secret-4', comment: 'true', accountId: 'c0ffee',
    };
    const { code, called, environment, state, text } = await start('main.js', { inputs }).ended;
    assert.equal(code, 0, text);
    assert.equal(called, 'pages deploy dist --commit-message=two words a "b');
    for (const line of [
      'CLOUDFLARE_API_TOKEN=secret-1', 'CROSSFADE_TOKEN=secret-2', 'CROSSFADE_SIGNING_KEY=secret-3', 'CROSSFADE_GITHUB_TOKEN=secret-4',
      'CROSSFADE_VERSION=1.2.3', 'CROSSFADE_ENVIRONMENT=staging', 'CROSSFADE_CONFIG=x.toml', 'CROSSFADE_COMMENT=true',
      'CLOUDFLARE_ACCOUNT_ID=c0ffee',
    ]) {
      assert.ok(environment.includes(line), line);
    }
    const report = environment.find((line) => line.startsWith('CROSSFADE_REPORT='));
    assert.ok(existsSync(report.slice('CROSSFADE_REPORT='.length)), report);
    assert.ok(!environment.some((line) => /^(INPUT_|ACTIONS_RUNTIME)/.test(line)), 'what is the action\'s own leaked');
    assert.equal(state.settled, 'true');
    // First of all, so that nothing that follows can show them.
    assert.equal(text, [1, 2, 3, 4].map((nth) => `::add-mask::secret-${nth}\n`).join(''));
  });

  test('the step ends with the program\'s code, and post has work when traffic was not seen to', async () => {
    for (const [exit, settled] of [[0, 'true'], [1, undefined], [2, 'true'], [3, 'true'], [4, 'true'], [5, 'true'], [6, undefined]]) {
      const { code, state } = await start('main.js', { body: `exit ${exit}` }).ended;
      assert.deepEqual([code, state.settled], [exit, settled]);
      assert.ok(state.program && state.pid);
    }
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    test(`${signal} reaches the program, and its answer to it is waited for`, async () => {
      const name = signal.slice(3);
      const body = `trap 'echo heard ${name}; exit 4' ${name}; : > ready; while [ -e ready ]; do sleep 0.05; done`;
      const { child, ended, file } = start('main.js', { body });
      await until(() => existsSync(file('ready')));
      child.kill(signal);
      const { code, text, state } = await ended;
      assert.deepEqual([code, state.settled], [4, 'true']);
      assert.match(text, new RegExp(`heard ${name}`));
    });
  }

  test('what is wrong is said in one annotation and as outputs, and nothing was started', async () => {
    for (const [inputs, reason] of [
      [{ mode: ' ' }, /^input `mode` is ``: it must begin with deploy, promote, /],
      [{ mode: 'destroy' }, /^input `mode` is `destroy`: /],
      [{ binary: 'nowhere/crossfade' }, /^cannot run .*nowhere\/crossfade in .*: /],
      [{ workingDirectory: 'nowhere' }, /^cannot run .*\/crossfade in .*\/nowhere: /],
      [{ mode: 'status\npages list' }, /^"status\\npages list" has several lines: a step runs one command$/],
    ]) {
      const { code, text, output, state, called } = await start('main.js', { inputs }).ended;
      assert.deepEqual([code, output.outcome, called], [1, 'failed', undefined]);
      assert.ok(!state.program || state.settled === 'true', 'post has nothing to do');
      assert.match(output.reason, reason);
      assert.equal(text.replace(/^::add-mask::.*\n/gm, ''), `::error::${output.reason}\n`);
    }
  });

  test('post knows of the program before it runs', async () => {
    const { ended, file } = start('main.js', { body: 'cp state at-start' });
    await ended;
    assert.match(readFileSync(file('at-start'), 'utf8'), /^program<</);
  });

  test('a program that was killed is for post: it is brought home when it runs no more, and only then', async () => {
    const killed = await start('main.js', { body: 'kill -9 $$' }).ended;
    assert.deepEqual([killed.code, killed.output.outcome, killed.state.settled], [1, 'failed', undefined]);
    assert.match(killed.output.reason, /killed \(SIGKILL\)/);

    // `main` is killed, the program goes on; it needs a moment for its way home.
    const body = `[ "$1" = rollback ] && { cat still > order; exit 0; }
      trap 'sleep 0.3; rm still; exit 4' TERM; : > still; : > ready; while [ -e ready ]; do sleep 0.05; done`;
    const main = start('main.js', { body });
    await until(() => existsSync(main.file('ready')) && readFileSync(main.file('state'), 'utf8').includes('identity'));
    main.child.kill('SIGKILL');
    const { state } = await main.ended;
    assert.ok(isAlive(state.pid), 'the program is an orphan');
    const env = Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]));
    // Where the program said that it looks, whatever the inputs say.
    env.STATE_where = '["--config","canary.toml"]';
    const post = await start('post.js', { env }).ended;
    assert.equal(post.code, 0, post.text);
    assert.ok(!isAlive(state.pid));
    assert.equal(readFileSync(main.file('arguments'), 'utf8').trim(), 'rollback --if-unsettled --config canary.toml');
    assert.ok(!existsSync(main.file('still')), 'it was on its way home when the rollback began');
  });

  test('post ends nobody else\'s process, kills what does not listen, and says when nobody is home', async () => {
    const main = start('main.js', { body: `[ "$1" = rollback ] && exit 6; trap '' TERM; : > ready; while [ -e ready ]; do sleep 0.05; done` });
    await until(() => existsSync(main.file('ready')) && readFileSync(main.file('state'), 'utf8').includes('identity'));
    main.child.kill('SIGKILL');
    const { state } = await main.ended;
    const env = (identity) => ({ STATE_program: state.program, STATE_pid: state.pid, STATE_identity: identity, STATE_where: '[]' });
    for (const [identity, lives] of [['1', true], ['', true], [state.identity, false]]) {
      const { code, text } = await start('post.js', { env: env(identity) }).ended;
      assert.equal(code, 1);
      assert.match(text, /::error::could not bring visitors back/);
      assert.equal(isAlive(state.pid), lives, identity);
    }
  });

  test('post does nothing when main saw the end, never began, or never came where it could move anybody', async () => {
    const main = start('main.js');
    await main.ended;
    rmSync(main.file('arguments'));
    for (const env of [{ STATE_program: main.file('crossfade'), STATE_settled: 'true' }, { STATE_program: main.file('crossfade') }, {}]) {
      const { code, text } = await start('post.js', { env }).ended;
      assert.deepEqual([code, text], [0, '']);
      assert.ok(!existsSync(main.file('arguments')), 'post acted on a release that had ended');
    }
  });

  test('a release\'s program is run when it is what was released, and else never', async (t) => {
    const asset = `crossfade-${process.platform}-${process.arch}.gz`;
    const place = mkdtempSync(join(directory, 'release-'));
    const file = (name) => join(place, name);
    const bytes = gzipSync(standIn(file, 'exit 0'));
    let sent = bytes;
    let status = 200;
    const asked = [];
    const server = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(status, { 'content-length': bytes.length });
      if (sent.length < bytes.length) response.write(sent, () => response.destroy());
      else response.end(sent);
    });
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    t.after(() => server.close());

    const from = join(place, 'action');
    mkdirSync(from);
    for (const name of ['main.js', 'program.js', 'workflow.js']) cpSync(join(action, name), join(from, name));
    const release = (sha256) => writeFileSync(join(from, 'checksums.json'), JSON.stringify({ from: 'https://nowhere.invalid/v1.2.3', sha256 }));
    const env = { RUNNER_TOOL_CACHE: file('cache'), CROSSFADE_DOWNLOAD_FROM: `http://127.0.0.1:${server.address().port}` };
    const cached = join(file('cache'), 'crossfade', 'v1.2.3', asset);
    const run = async (more = {}) => {
      rmSync(file('arguments'), { force: true });
      asked.length = 0;
      const ended = await start('main.js', { inputs: { binary: '' }, from, env: { ...env, ...more } }).ended;
      return { ...ended, ran: existsSync(file('arguments')) };
    };
    const refused = async (why, more) => {
      const { code, output, ran } = await run(more);
      assert.deepEqual([code, output.outcome, ran], [1, 'failed', false]);
      assert.match(output.reason, why);
      assert.ok(!existsSync(cached), 'nothing wrong is kept');
    };

    release({});
    await refused(new RegExp(`v1.2.3 has no ${asset}: .*\`binary\``));
    assert.deepEqual(asked, [], 'what is not known is not even asked for');
    release({ [asset]: createHash('sha256').update(bytes).digest('hex') });
    await refused(/cannot download https:\/\/nowhere\.invalid\//, { CROSSFADE_DOWNLOAD_FROM: 'http://evil.example' });
    status = 404;
    await refused(/cannot download http:.*\.gz: status 404/);
    assert.deepEqual(asked, [`/${asset}`]);
    status = 200;
    sent = Buffer.concat([bytes.subarray(0, -1), Buffer.from('x')]);
    await refused(/is not what was released: its SHA-256 is [0-9a-f]{64}, not [0-9a-f]{64}/);
    sent = bytes.subarray(0, 20);
    await refused(/cannot download /);
    assert.equal(asked.length, 3, 'what broke off is asked for again');

    sent = bytes;
    const first = await run();
    assert.deepEqual([first.code, first.ran, asked.length], [0, true, 1], first.text);
    const second = await run();
    assert.deepEqual([second.code, second.ran, asked.length], [0, true, 0], 'it is in the cache');
    writeFileSync(cached, gzipSync('#!/bin/sh\necho stolen\n'));
    const third = await run();
    assert.deepEqual([third.code, third.ran, asked.length, third.text.includes('stolen')], [0, true, 1, false], third.text);
  });

  test('action.yml, the code and the README name the same inputs and outputs', () => {
    const read = (name) => readFileSync(join(action, '..', name), 'utf8');
    const metadata = read('action.yml');
    const section = (name) => metadata.match(new RegExp(`^${name}:\\n((?: .*\\n|\\n)*)`, 'm'))[1];
    const names = (text) => [...text.matchAll(/^ {2}(\S+):$/gm)].map(([, name]) => name);
    const [inputs, outputs] = [names(section('inputs')), names(section('outputs'))];
    assert.ok(inputs.length > 5 && outputs.length > 5);

    const code = ['main.js', 'post.js', 'program.js', 'workflow.js'].map((name) => read(`action/${name}`)).join('');
    const given = [...code.matchAll(/input\('(\w+)'\)/g), ...code.matchAll(/[A-Z_]{9,}: '(\w+)'/g)].map(([, name]) => name);
    assert.deepEqual([...new Set(given)].sort(), [...inputs].sort());

    const rows = (heading) => {
      const [, table] = read('README.md').split(new RegExp(`^\\| ${heading} \\|.*\n`, 'm'));
      return [...table.split('\n\n')[0].matchAll(/^\| `(\S+)` \|/gm)].map(([, name]) => name);
    };
    assert.deepEqual(rows('input'), inputs);
    assert.deepEqual(rows('output'), outputs);
    assert.ok(code.split('\n').length <= 204, 'what has to be trusted stays small enough to be read');
  });
});
