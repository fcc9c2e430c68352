// Runs after the job, also after a cancel or when `main` was killed: brings traffic home if the release did not settle.
// Third of four nets: the program's own handling of signals, its release's lease at the edge, this, and a person.
'use strict';

const { spawnSync } = require('node:child_process');
const { state, environment, fail, workingDirectory } = require('./workflow');

const path = state('running');
// An outcome means that the program saw to traffic itself, or that a person has to.
if (path && !state('ended')) {
  process.stdout.write('The release did not end by itself: bringing visitors back.\n');
  const { status, error } = spawnSync(path, ['rollback', '--abandoned'], {
    env: environment(),
    cwd: workingDirectory(),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error || status !== 0) {
    fail('could not bring visitors back; the lease at the edge does when it runs out. See `crossfade status`.');
  }
}
