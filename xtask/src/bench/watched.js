// The router as it is built, and how much memory its wasm has: told for `/memory`, which is nobody's else in the soak.
let memory;
const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...given) {
    super(...given);
    memory = this.exports.memory ?? memory;
  }
};
const { default: router } = await import('./worker/shim.mjs');

export default {
  fetch(request, env, context) {
    if (request.url.endsWith('/memory')) return new Response(String(memory.buffer.byteLength));
    return router.fetch(request, env, context);
  },
};
