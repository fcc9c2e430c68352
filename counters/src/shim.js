// The class `Counters` as the runtime knows it. The wasm is instantiated where an object runs, and anew when it ever failed: all
// that an object knows is in its SQLite.
//
// worker-build puts this file in the place of its own (`CUSTOM_SHIM`).
import { DurableObject } from 'cloudflare:workers';
import * as object from './index_bg.js';
import module from './index.wasm';
$SNIPPET_JS_IMPORTS

const imports = { './index_bg.js': object, $SNIPPET_WASM_IMPORTS };

/** Counts the instances; an object that belongs to an older one is made again. */
let instances = 0;

function instantiate() {
  const instance = new WebAssembly.Instance(module, imports);
  object.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  instances += 1;
}

export class Counters extends DurableObject {
  #inner;
  #instance = 0;

  async fetch(request) {
    if (instances === 0) instantiate();
    const instance = instances;
    if (this.#instance !== instance) {
      this.#inner = new object.Counters(this.ctx, this.env);
      this.#instance = instance;
    }
    try {
      return await this.#inner.fetch(request);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError && instance === instances) instantiate();
      throw error;
    }
  }
}
