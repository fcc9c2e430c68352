// Runs `crossfade`. The program does all the work; this file gives it its inputs and, above all, its signals: the Actions
// runner signals only the process that it started, and a program that never hears of a cancel goes on moving traffic
// (https://github.com/actions/runner/blob/main/src/Runner.Sdk/ProcessInvoker.cs).
'use strict';

const { input, output, saveState, fail, environment, program, workingDirectory } = require('./workflow');
const { spawn } = require('node:child_process');

/** What the exit codes mean; `crossfade --help` has them in full. */
const OUTCOMES = { 0: 'done', 3: 'not-started', 4: 'rolled-back', 5: 'superseded', 6: 'stuck' };
/** Commands that may leave traffic shifted when they are killed. */
const MOVES_TRAFFIC = ['deploy'];

main().catch((error) => fail(error.message));

async function main() {
  const [name, ...rest] = words(input('command'));
  if (!name) return fail('input `command` is empty; say what to do, such as `deploy`');
  const env = environment();
  if (name === 'deploy') env.CROSSFADE_VERSION = input('version');
  const path = await program();
  const code = await run(path, [name, ...rest], env, () => {
    // From here on `post` looks after traffic, however this process ends.
    if (MOVES_TRAFFIC.includes(name)) saveState('running', path);
  });
  const outcome = OUTCOMES[code] ?? 'failed';
  output('outcome', outcome);
  output('exit-code', String(code));
  saveState('ended', outcome);
  process.exitCode = code;
}

/** Runs the program to its end; resolves with its exit code. */
function run(path, args, env, onSpawn) {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { env, cwd: workingDirectory(), stdio: ['ignore', 'inherit', 'inherit'] });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('spawn', onSpawn);
    child.on('error', (error) => reject(new Error(`cannot run ${path}: ${error.message}`)));
    child.on('close', (code) => resolve(code ?? 1));
  });
}

/** Splits a command line at blanks; `"…"` and `'…'` keep them. Nothing else is special: no shell ever sees it. */
function words(text) {
  const found = text.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [];
  return found.map((word) => word.replace(/^(["'])(.*)\1$/s, '$2'));
}
