// What the Actions runner and this action say to each other: inputs, outputs, state, annotations
// (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).
'use strict';

const { randomUUID } = require('node:crypto');
const { appendFileSync, accessSync, constants } = require('node:fs');
const { spawnSync } = require('node:child_process');
const { delimiter, join, resolve } = require('node:path');

/** An input, trimmed; empty when it was not given. */
function input(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim();
}

/** Sets an output of the step. */
function output(name, value) {
  append('GITHUB_OUTPUT', name, value);
}

/** Keeps a value for `post`. */
function saveState(name, value) {
  append('GITHUB_STATE', name, value);
}

/** A value that `main` kept; empty when it did not. */
function state(name) {
  return process.env[`STATE_${name}`] ?? '';
}

/** Fails the step with an annotation. */
function fail(message) {
  process.stdout.write(`::error::${escape(message)}\n`);
  process.exitCode ||= 1;
}

/** The program's environment: the job's, without this action's inputs, with the secrets under the names it reads. */
function environment() {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('INPUT_')));
  const given = {
    CLOUDFLARE_API_TOKEN: input('cloudflare-api-token'),
    CLOUDFLARE_ACCOUNT_ID: input('cloudflare-account-id'),
    CROSSFADE_TOKEN: input('crossfade-token'),
    CROSSFADE_SIGNING_KEY: input('signing-key'),
    CROSSFADE_ENVIRONMENT: input('environment'),
    CROSSFADE_CONFIG: input('config'),
  };
  for (const [name, value] of Object.entries(given)) if (value) env[name] = value;
  return env;
}

/** Where to run. */
function workingDirectory() {
  return resolve(process.env.GITHUB_WORKSPACE ?? '.', input('working-directory') || '.');
}

/** The program: the input, else PATH's, else built from this action's own commit. */
async function program() {
  const given = input('binary');
  if (given) return resolve(process.env.GITHUB_WORKSPACE ?? '.', given);
  const onPath = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'crossfade'));
  return onPath.find(isExecutable) ?? build();
}

function build() {
  const root = resolve(__dirname, '..');
  process.stdout.write('::group::Building crossfade\n');
  const { status, error } = spawnSync('cargo', ['build', '--release', '--locked', '--package', 'crossfade'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  process.stdout.write('::endgroup::\n');
  if (error || status !== 0) {
    throw new Error('cannot build crossfade: install Rust in a step before, or name the program in the input `binary`');
  }
  return join(root, 'target', 'release', 'crossfade');
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Appends `NAME<<DELIMITER` … to one of the runner's files; a fresh delimiter, so that no value can end early. */
function append(file, name, value) {
  const path = process.env[file];
  if (!path) return;
  const end = `end-${randomUUID()}`;
  appendFileSync(path, `${name}<<${end}\n${value}\n${end}\n`);
}

function escape(text) {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

module.exports = { input, output, saveState, state, fail, environment, workingDirectory, program };
