// What the Actions runner, this action and the program say to each other: inputs, state, annotations, signals
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands). Outputs are the program's.
'use strict';

const { spawn, spawnSync } = require('node:child_process');
const { randomUUID } = require('node:crypto');
const { appendFileSync, mkdtempSync, readFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { setTimeout: pause } = require('node:timers/promises');

/** The variables that the program reads, and the inputs that they come from. */
const VARIABLES = {
  CLOUDFLARE_API_TOKEN: 'apiToken', CLOUDFLARE_ACCOUNT_ID: 'accountId', CROSSFADE_TOKEN: 'crossfadeToken',
  CROSSFADE_SIGNING_KEY: 'signingKey', CROSSFADE_ENVIRONMENT: 'environment', CROSSFADE_CONFIG: 'config',
  CROSSFADE_VERSION: 'version', CROSSFADE_GITHUB_TOKEN: 'gitHubToken', CROSSFADE_COMMENT: 'comment',
};
const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim();
const state = (name) => process.env[`STATE_${name}`] ?? '';
const workspace = () => process.env.GITHUB_WORKSPACE ?? '.';
/** A new directory, which the runner removes after the job. */
const temporary = (name) => mkdtempSync(join(process.env.RUNNER_TEMP ?? tmpdir(), `crossfade-${name}-`));

/** The program's environment: the job's, with the inputs under the names that it reads. */
function environment() {
  // What a `run` step would not see either: the inputs, and what lets an action write the run's artifacts and caches.
  const ours = /^(INPUT|STATE|ACTIONS_RUNTIME|ACTIONS_RESULTS|ACTIONS_CACHE)_/;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
  for (const [name, from] of Object.entries(VARIABLES)) if (input(from)) env[name] = input(from);
  return env;
}

/** Tells the runner something. */
const tell = (command, data) => process.stdout.write(`::${command}::${data.replace(/[%\r\n]/g, encodeURIComponent)}\n`);

/** Fails the step with an annotation, where the program could not. */
function fail(message) {
  Object.entries({ outcome: 'failed', reason: message }).forEach(([name, value]) => append('GITHUB_OUTPUT', name, value));
  tell('error', message);
  process.exitCode ||= 1;
}

/** Appends to one of the runner's files; with a fresh delimiter, so that no value can end early. */
function append(file, name, value) {
  const end = `end-${randomUUID()}`;
  if (process.env[file]) appendFileSync(process.env[file], `${name}<<${end}\n${value}\n${end}\n`);
}

/** Leaves values to `post`. */
const remember = (values) => Object.entries(values).forEach(([name, value]) => append('GITHUB_STATE', name, value));

/** Runs the program to its end, with our signals handed on; resolves with its exit code, or the signal that ended it. */
function run(path, args, env, onSpawn = () => {}, cwd = resolve(workspace(), input('workingDirectory'))) {
  return new Promise((done, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal)); // Before there is a child.
    const child = spawn(path, args, { env, cwd, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('spawn', () => onSpawn(child.pid));
    child.on('error', (error) => reject(new Error(`cannot run ${path} in ${cwd}: ${error.message}`)));
    child.on('exit', (code, signal) => done({ code, signal }));
  });
}

/** What tells a process from a later one with its number: when it began. Empty when there is none, or nobody can say. */
function identity(pid) {
  try {
    // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name, which may hold anything, ends with the last `)`.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ');
    return fields[0] === 'Z' ? '' : fields[19];
  } catch {
    return process.platform === 'darwin' ? spawnSync('ps', ['-o', 'lstart=', '-p', pid]).stdout.toString().trim() : '';
  }
}

/** Asks a process to end if it is the one that we know, and kills it when it does not: home takes it six seconds at most. */
async function stop(pid, who) {
  const runs = () => who !== '' && identity(pid) === who;
  for (const [signal, tenths] of [['SIGTERM', 80], ['SIGKILL', 20]]) {
    if (runs()) process.kill(pid, signal);
    for (let waited = 0; waited < tenths && runs(); waited += 1) await pause(100);
  }
}

module.exports = { input, state, workspace, temporary, environment, tell, fail, remember, run, identity, stop };
