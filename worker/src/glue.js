// Calls of the platform that always come together, bundled so that the border between JavaScript and wasm is crossed once for
// a request rather than once for each header. Nothing is decided here.

/** The cookie of the override, see `ask.rs`. */
const OVERRIDE = 'crossfade-override=';

/**
 * What the router decides by, a line each: method, URL, cookies, and the override's two headers. URLs and header values hold
 * no line breaks. Cookies are left out when nobody would look at them.
 */
export function facts(request, cookies, secrets) {
  const { headers } = request;
  let cookie = cookies || secrets ? (headers.get('cookie') ?? '') : '';
  if (!cookies && !cookie.includes(OVERRIDE)) cookie = '';
  const lines = `${request.method}\n${request.url}\n${cookie}`;
  if (!headers.has('crossfade-token') && !headers.has('crossfade-variant')) return lines;
  return `${lines}\n${headers.get('crossfade-token') ?? ''}\n${headers.get('crossfade-variant') ?? ''}`;
}

/**
 * Sends a request on to `url`, body streaming, redirects left to the visitor. `host` is the public one. `method` is given when it
 * is not GET, `cookie` when it replaces the visitor's, `secrets` when the override's headers are there to be taken out.
 *
 * Each call here is a price that every request pays: <https://github.com/cloudflare/workerd> answers them in C++, half a
 * microsecond or so each.
 */
export function send(request, url, host, proto, method, cookie, secrets, signal) {
  // A body keeps its length only inside a Request, and only there may a GET have one. Without a body that copy is saved.
  const whole = request.body === null ? undefined : new Request(url, request);
  const headers = whole === undefined ? new Headers(request.headers) : whole.headers;
  headers.set('x-forwarded-host', host);
  headers.set('x-forwarded-proto', proto);
  const client = headers.get('cf-connecting-ip');
  if (client !== null) headers.set('x-forwarded-for', client);
  if (secrets) {
    headers.delete('crossfade-token');
    headers.delete('crossfade-variant');
  }
  if (cookie !== undefined) {
    if (cookie === '') headers.delete('cookie');
    else headers.set('cookie', cookie);
  }
  return whole === undefined ? fetch(url, { method, headers, redirect: 'manual', signal }) : fetch(whole);
}

/** Sends a copy of a GET without anything that says who asked, and reads none of the answer. A socket is nothing to repeat. */
export async function mirror(request, url, host, proto) {
  const headers = new Headers(request.headers);
  if (headers.has('upgrade')) return;
  for (const name of ['cookie', 'authorization', 'proxy-authorization', 'crossfade-token', 'crossfade-variant']) headers.delete(name);
  headers.set('x-forwarded-host', host);
  headers.set('x-forwarded-proto', proto);
  headers.set('crossfade-mirror', '1');
  const answer = await fetch(url, { headers, redirect: 'manual' });
  await answer.body?.cancel();
}

/** Calls back with the answer, or with what went wrong. */
export function when(promise, callback) {
  return promise.then(callback, callback);
}

/** What rejects the promises that a router still has to keep. */
const waiting = new Set();

/** The same promise; it also ends when the router that was to keep it has failed. */
export function kept(promise) {
  return new Promise((resolve, reject) => {
    waiting.add(reject);
    const ended = (settle) => (value) => {
      waiting.delete(reject);
      settle(value);
    };
    promise.then(ended(resolve), ended(reject));
  });
}

/** The router has failed, and keeps no promise any more. */
export function abandon(error) {
  for (const reject of waiting) reject(error);
  waiting.clear();
}

/** The same answer with headers that can be changed, and ours among them. */
export function named(response, name, cookie, unindex) {
  const copy = new Response(response.body, response);
  const { headers } = copy;
  headers.set('crossfade', name);
  if (cookie !== undefined) headers.append('set-cookie', cookie);
  if (unindex && headers.get('x-robots-tag') === 'noindex') headers.delete('x-robots-tag');
  return copy;
}

/** The cookies of an answer when one of them names a domain, a line each. */
export function domainCookies(response) {
  if (!response.headers.has('set-cookie')) return undefined;
  const cookies = response.headers.getSetCookie();
  return cookies.some((cookie) => /;\s*domain\s*=/i.test(cookie)) ? cookies.join('\n') : undefined;
}

/** Puts these cookies in the place of an answer's own. */
export function replaceCookies(response, lines) {
  response.headers.delete('set-cookie');
  for (const line of lines.split('\n')) response.headers.append('set-cookie', line);
}

/** Whether an HMAC-SHA256 is right; the platform compares in constant time. */
export async function verify(secret, signature, message) {
  const method = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret), method, false, ['verify']);
  return crypto.subtle.verify('HMAC', key, signature, message);
}
