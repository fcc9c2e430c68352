// The router as built, with a counters' object that fails on request and an Analytics Engine that tells the sandbox what it got.
import router, { Counters as Built } from './index.js';

let flushes = 0;

/** What each fault makes of a request to the object. */
const FAULTS = {
  throws() {
    throw new Error('the object fails on request');
  },
  hangs() {
    return scheduler.wait(3_600_000);
  },
  // Every other flush arrives, and nobody learns of it.
  async forgets(request, object) {
    if (!request.url.endsWith('/flush')) return object(request);
    flushes += 1;
    const answer = await object(request);
    if (flushes % 2) throw new Error('the answer is lost on request');
    return answer;
  },
};

export class Counters extends Built {
  fetch(request) {
    const fault = FAULTS[this.env.SANDBOX_FAULT];
    const object = (it) => super.fetch(it);
    return fault ? fault(request, object) : object(request);
  }
}

export default {
  fetch(request, env, context) {
    const { SANDBOX_ANALYTICS: sink } = env;
    if (!sink) return router.fetch(request, env, context);
    const headers = { 'content-type': 'application/json' };
    const writeDataPoint = (point) =>
      context.waitUntil(sink.fetch('http://analytics/', { method: 'POST', headers, body: JSON.stringify(point) }));
    return router.fetch(request, { ...env, ANALYTICS: { writeDataPoint } }, context);
  },
};
