// The router one would write by hand, with care: the common part of what Crossfade's does, and nothing more. The table comes
// from KV into the isolate and is refreshed in the background; visitors stick to a variant by a cookie; who holds the secret
// may ask for one; the origin learns by which name and from where it was asked; the answer names its variant. What it leaves
// out: leases, rules, rescue, breaker, mirror, asset fallback, redirects and cookies led home, control endpoints, and what
// happens when KV or an origin is down.
const REFRESH = 30_000;
let table;
let checkedAt = 0;

export default {
  async fetch(request, env, context) {
    const now = Date.now();
    if (table === undefined) await refresh(env);
    else if (now - checkedAt > REFRESH) {
      checkedAt = now;
      context.waitUntil(refresh(env));
    }
    const asked = request.headers;
    const token = asked.get('crossfade-token');
    const known = cookie(asked.get('cookie'));
    const id = known ?? crypto.randomUUID();
    const chosen = token === null ? undefined : override(token, asked.get('crossfade-variant'), env);
    const variant = chosen ?? choose(id);

    // A copy has the method, the body and the redirects that are left to the visitor, and headers that can be set.
    const { url } = request;
    const path = url.indexOf('/', 8);
    const colon = url.indexOf(':');
    const sent = new Request(variant.origin + url.slice(path), request);
    const { headers } = sent;
    headers.set('x-forwarded-host', url.slice(colon + 3, path));
    headers.set('x-forwarded-proto', url.slice(0, colon));
    const client = headers.get('cf-connecting-ip');
    if (client !== null) headers.set('x-forwarded-for', client);
    if (token !== null) {
      headers.delete('crossfade-token');
      headers.delete('crossfade-variant');
    }
    const answer = await fetch(sent);

    if (answer.status === 101) return answer;
    const response = new Response(answer.body, answer);
    response.headers.set('crossfade', variant.header);
    if (known === undefined) response.headers.append('set-cookie', `crossfade=${id}; Path=/; HttpOnly; SameSite=Lax`);
    return response;
  },
};

async function refresh(env) {
  checkedAt = Date.now();
  const document = await env.ROUTING.get('routing:production', 'json');
  let end = 0;
  table = {
    salt: document.affinity.salt,
    variants: document.variants.map(({ name, origin, version, weight }) => ({
      name,
      origin,
      end: (end += weight),
      header: `variant="${name}", version="${version}", revision=${document.revision}`,
    })),
  };
}

/** The variant that somebody with the secret asks for; the comparison takes as long whatever a wrong one is like. */
function override(token, name, env) {
  const [given, secret] = [token, env.CROSSFADE_TOKEN].map((text) => new TextEncoder().encode(text));
  const isRight = given.length === secret.length && crypto.subtle.timingSafeEqual(given, secret);
  return isRight ? table.variants.find((variant) => variant.name === name) : undefined;
}

function cookie(header) {
  const at = header?.indexOf('crossfade=') ?? -1;
  if (at < 0) return undefined;
  const end = header.indexOf(';', at);
  return header.slice(at + 10, end < 0 ? undefined : end);
}

/** FNV-1a over salt and id, into 10,000 buckets. */
function choose(id) {
  let hash = 0x811c9dc5;
  for (const text of [table.salt, id]) {
    for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  const bucket = (hash >>> 0) % 10_000;
  return table.variants.find((variant) => bucket < variant.end) ?? table.variants[0];
}
