// Runs `crossfade`. The program does all the work; this file gives it its inputs and, above all, its signals: the Actions
// runner signals only the process that it started, and a program that never hears of a cancel goes on moving traffic
// (https://github.com/actions/runner/blob/main/src/Runner.Sdk/ProcessInvoker.cs).
'use strict';

const { input, remember, tell, fail, environment, temporary, run, identity } = require('./workflow');
const { program } = require('./program');

const MODES = ['deploy', 'promote', 'rollback', 'abort', 'resume', 'status', 'weights'];
/** Exit codes with which the program has seen to traffic itself; `crossfade --help` says what they mean. */
const SETTLED = [0, 2, 3, 4, 5];
main().catch((error) => fail(error.message));

async function main() {
  for (const name of ['apiToken', 'crossfadeToken', 'signingKey', 'gitHubToken']) if (input(name)) tell('add-mask', input(name));
  const words = split(input('command') || input('mode'));
  if (!input('command') && !MODES.includes(words[0])) {
    throw new Error(`input \`mode\` is \`${input('mode')}\`: it must begin with ${MODES.join(', ')}; \`command\` takes any command`);
  }
  const path = await program();
  remember({ program: path }); // From here on `post` looks after traffic, however this process ends.
  const env = { CROSSFADE_REPORT: temporary('report'), ...environment() };
  const { code, signal } = await run(path, words, env, (pid) => remember({ pid, identity: identity(pid) })).catch((error) => {
    remember({ settled: true }); // Nothing runs.
    throw error;
  });
  if (signal) throw new Error(`crossfade was killed (${signal}); visitors whom it had moved are brought back when the job ends`);
  if (SETTLED.includes(code)) remember({ settled: true });
  process.exitCode = code;
}

/** Splits a command line at blanks; `"…"` and `'…'` keep them. Nothing else is special: no shell ever sees it. */
function split(text) {
  if (text.includes('\n')) throw new Error(`${JSON.stringify(text)} has several lines: a step runs one command`);
  const words = text.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  if (/["']/.test(text.replace(/"[^"]*"|'[^']*'/g, ''))) throw new Error(`a quote in \`${text}\` has no end`);
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}
