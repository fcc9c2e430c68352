// Runs after the job, also after a cancel or when `main` was killed: brings traffic home if the release did not settle.
// Second of four layers: the program's own handling of signals, this, the lease at the edge, and a recovery workflow.
'use strict';

const { state, environment, fail, run, stop } = require('./workflow');

if (state('program') && !state('settled')) bringHome().catch((error) => fail(error.message));

async function bringHome() {
  await stop(Number(state('pid')), state('identity')); // Else it could shift them again behind our back.
  if (!state('where')) return; // It had not come so far that it could move anybody, or never would: `pages deploy`.
  process.stdout.write('The release did not settle: visitors are brought back.\n');
  const { code } = await run(state('program'), ['rollback', '--if-unsettled', ...JSON.parse(state('where'))], environment());
  if (code !== 0) fail('could not bring visitors back. The router does when the lease runs out; behind a load balancer somebody has to: `crossfade rollback`.');
}
