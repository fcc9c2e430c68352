// The Worker's entry. Loads the router and hands it the requests, and knows what to do when it fails, which it never should: its
// visitors are sent to `DEFAULT_ORIGIN`, and the next one meets a router that was started anew.
//
// worker-build puts this file in the place of its own (`CUSTOM_SHIM`), which wraps every call in two proxies.
import * as router from './index_bg.js';
import module from './index.wasm';
$SNIPPET_JS_IMPORTS

const snippets = { $SNIPPET_WASM_IMPORTS };
const imports = { './index_bg.js': router, ...snippets };
const { abandon, entry } = Object.values(snippets).find((snippet) => snippet.abandon);
// What wasm-bindgen starts an instance anew by, before the next call: the names are those of its own entries.
Object.assign(globalThis, { wasmModule: module, wasmInstance: undefined, __wbg_get_imports: () => imports });
const startAnew = Object.entries(router).find(([name]) => name.startsWith('__wbg___wbindgen_reinit'))[1];

const instance = new WebAssembly.Instance(module, imports);
router.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

// What fails in a Rust future is nobody's promise.
addEventListener('error', ({ error }) => {
  if (!error?.message?.startsWith('Cannot invoke closure from previous')) fail(error, entry.failures);
});

entry.failed = (error, begun, request) => {
  fail(error, begun);
  return lastResort(request, true);
};

export default {
  fetch(original, env, context) {
    entry.bindings = env;
    const begun = entry.failures;
    // A copy, because its headers can be set. Nobody looks at the original's, which would be one object more to make.
    const request = new Request(original);
    try {
      const { url, headers } = request;
      return router.fetch({ request, context, url, headers }, env);
    } catch (error) {
      fail(error, begun);
      return lastResort(request, false);
    }
  },
};

function fail(error, begun) {
  if (begun !== entry.failures) return;
  entry.failures += 1;
  console.error('crossfade: the router failed and starts anew:', error?.stack ?? error);
  startAnew();
  // At once: what belongs to the instance before must find the new one in its place, to be refused by it.
  router.start();
  abandon(error);
}

/** Answers without the router. What may have reached an origin is not sent again unless that changes nothing. */
async function lastResort(request, sent) {
  const { protocol, host, pathname, search } = new URL(request.url);
  const { bindings } = entry;
  const isSafe = request.method === 'GET' || request.method === 'HEAD';
  const isOurs = /^\/__crossfade(\/|$)/.test(pathname);
  if (bindings.DEFAULT_ORIGIN && !isOurs && !request.bodyUsed && (isSafe || !sent)) {
    const copy = new Request(bindings.DEFAULT_ORIGIN.replace(/\/$/, '') + pathname + search, request);
    const { headers } = copy;
    headers.set('x-forwarded-host', host);
    headers.set('x-forwarded-proto', protocol.slice(0, -1));
    headers.delete('crossfade-token');
    headers.delete('crossfade-variant');
    if (headers.get('cookie')?.includes('crossfade-override=')) headers.delete('cookie');
    try {
      return await fetch(copy);
    } catch (error) {
      console.error('crossfade: DEFAULT_ORIGIN:', error);
    }
  }
  const headers = { 'retry-after': '1', 'cache-control': 'no-store' };
  return new Response('Crossfade: the router failed. Please try again.\n', { status: 503, headers });
}
