// The Worker's entry. Loads the router and hands it the requests, and knows what to do when it fails: a visitor is sent to
// `DEFAULT_ORIGIN`, and the next one meets a router that was started anew.
//
// worker-build puts this file in the place of its own (`CUSTOM_SHIM`), which wraps every call in two proxies.
import * as router from './index_bg.js';
import module from './index.wasm';
$SNIPPET_JS_IMPORTS

start();

function start() {
  const instance = new WebAssembly.Instance(module, { './index_bg.js': router, $SNIPPET_WASM_IMPORTS });
  router.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
}

export default {
  fetch(request, env, context) {
    try {
      return router.fetch(request, env, context);
    } catch (error) {
      console.error('crossfade: the router failed and starts anew:', error);
      start();
      return lastResort(request, env);
    }
  },
};

function lastResort(request, env) {
  const url = request.url;
  if (env.DEFAULT_ORIGIN) return fetch(env.DEFAULT_ORIGIN + url.slice(url.indexOf('/', 8)), request);
  return new Response('Crossfade: the router failed. Please try again.\n', { status: 503, headers: { 'retry-after': '1' } });
}
