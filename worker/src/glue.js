// Calls of the platform that always come together, bundled so that the border between JavaScript and wasm is crossed once for
// a request rather than once for each header. Nothing is decided here.

/** What the entry (`shim.js`) knows of failures of the router itself. */
export const entry = {
  /** How often it has failed; a request that began before the last time says nothing about the one that runs now. */
  failures: 0,
  /** Answers a request in its place: the entry puts it here. */
  failed: undefined,
  /** The bindings, the same for every request of an isolate: the entry puts them here. */
  bindings: undefined,
};

// A call is what the entry makes of a request: `{ request, context, url, headers }`, because each look at a property of the
// platform's costs as much as a crossing.

/** The cookie of the override, see `ask.rs`. */
const OVERRIDE = 'crossfade-override=';

/**
 * What the router decides by, a line each: URL, cookies, and the override's two headers when one of them is there. URLs and
 * header values hold no line breaks. Cookies are left out when nobody would look at them: each character that crosses is copied.
 */
export function facts({ url, headers }, cookies) {
  const token = headers.get('crossfade-token');
  const variant = headers.get('crossfade-variant');
  const cookie = headers.get('cookie');
  const lines = cookie !== null && (cookies || cookie.includes(OVERRIDE)) ? `${url}\n${cookie}` : url;
  if (token === null && variant === null) return lines;
  return `${lines === url ? `${url}\n` : lines}\n${token ?? ''}\n${variant ?? ''}`;
}

/**
 * Sends a request on to `origin`, body streaming, redirects left to the visitor. Its URL is cut at `path`; `spelled`
 * is given when it has to be spelled otherwise, `cookie` when it replaces the visitor's, `secrets` when the override's headers are
 * there to be taken out. The request is the entry's copy, so its headers are set in place, and it may be sent again.
 *
 * A request in the place of a dictionary is the cheapest, and keeps what only a request can have: a body with its length, also
 * of a GET. Each call here is a price that every request pays.
 */
export function send({ request, url, headers }, origin, spelled, path, cookie, secrets, signal) {
  const target = origin + forwarded(headers, spelled ?? url, path);
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
  return signal === undefined ? fetch(target, request) : fetch(new Request(target, request), { signal });
}

/** Says by which name and over what the visitor came, and returns the path. */
function forwarded(headers, url, path) {
  const colon = url.indexOf(':');
  headers.set('x-forwarded-host', url.slice(colon + 3, path));
  headers.set('x-forwarded-proto', url.slice(0, colon));
  return url.slice(path);
}

/**
 * Sends a request on and lets the router finish its answer; `table` and `marks` are the router's own, kept for it meanwhile. All
 * in one function that waits, because each promise more is a turn of the event loop more.
 */
export async function exchange(call, origin, spelled, path, cookie, secrets, table, marks, setCookie) {
  const begun = entry.failures;
  let answer;
  let status = 0;
  const sent = Date.now();
  try {
    answer = await send(call, origin, spelled, path, cookie, secrets);
    status = answer.status;
  } catch (error) {
    answer = error;
  }
  try {
    return table.answered(call, answer, status, sent, Date.now(), marks, setCookie);
  } catch (error) {
    return entry.failed(error, begun, call.request);
  }
}

/** What a copy does not say. */
const PRIVATE = ['cookie', 'authorization', 'proxy-authorization', 'x-forwarded-for', 'crossfade-token', 'crossfade-variant'];

/** How long a copy may wait for its answer, which nobody reads. */
const MIRROR_WITHIN_MS = 10_000;

/** Sends a copy of a GET without anything that says who asked, and reads none of the answer. A socket is nothing to repeat. */
export async function mirror({ url, headers: all }, origin, spelled, path) {
  const headers = new Headers(all);
  if (headers.has('upgrade')) return;
  for (const name of PRIVATE) headers.delete(name);
  const target = origin + forwarded(headers, spelled ?? url, path);
  headers.set('crossfade-mirror', '1');
  const signal = AbortSignal.timeout(MIRROR_WITHIN_MS);
  const answer = await fetch(target, { headers, redirect: 'manual', signal });
  await answer.body?.cancel();
}

/** Asks one of the counters' objects: with a body it is told something. What does not come within so many milliseconds is given up. */
export async function counters(name, path, body, within) {
  const { COUNTERS } = entry.bindings;
  const signal = AbortSignal.timeout(within);
  const init = body === undefined ? { signal } : { method: 'POST', body, signal };
  return COUNTERS.get(COUNTERS.idFromName(name)).fetch(`https://counters${path}`, init);
}

/** A name that nothing else has. */
export function unique() {
  return crypto.randomUUID();
}

/** Writes a data point to Analytics Engine. */
export function dataPoint(index, blobs, doubles) {
  entry.bindings.ANALYTICS.writeDataPoint({ indexes: [index], blobs: blobs.split('\n'), doubles: [...doubles] });
}

/** What rejects the promises that a router still has to keep. */
const waiting = new Set();

/** The same promise; when the router that was to keep it has failed, the entry answers the request. */
export function kept(promise, { request }) {
  const begun = entry.failures;
  const ours = new Promise((resolve, reject) => {
    waiting.add(reject);
    const ended = (settle) => (value) => {
      waiting.delete(reject);
      settle(value);
    };
    promise.then(ended(resolve), ended(reject));
  });
  // A step of its own: what rejects the promise may be another request, whose I/O is not ours to use.
  return ours.catch((error) => entry.failed(error, begun, request));
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
