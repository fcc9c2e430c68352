// The router one would write by hand, with care: the common part of what Crossfade's does, and nothing more. The table comes
// from KV into the isolate and is refreshed in the background; visitors stick to a variant by a cookie; the answer names it.
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
    const url = request.url;
    const known = cookie(request.headers.get('cookie'));
    const id = known ?? crypto.randomUUID();
    const variant = choose(id);
    const answer = await fetch(variant.origin + url.slice(url.indexOf('/', 8)), request);
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
      origin,
      end: (end += weight),
      header: `variant="${name}", version="${version}", revision=${document.revision}`,
    })),
  };
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
