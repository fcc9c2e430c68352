// The booking site's API, as a Pages `_worker.js`. Everything else is a static file.
// It keeps no state: ids and tokens carry what they stand for, signed, so that any instance understands them.

const VERSION = '__VERSION__';
const NAMED = '__NAMED_VERSION__';
const FAIL = new Set(__FAIL__);
const DELAY_MS = __DELAY_MS__;

export default {
  async fetch(request, env) {
    if (DELAY_MS > 0) await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
    if (FAIL.has('real-host') && request.headers.has('x-forwarded-host')) {
      return json(500, { error: 'this version does not work behind the public host' });
    }
    const url = new URL(request.url);
    if (!url.pathname.startsWith('/api/')) return env.ASSETS.fetch(request);
    try {
      return await api(request, url);
    } catch (error) {
      if (error instanceof Refusal) return json(error.status, { error: error.message }, error.headers);
      return json(500, { error: 'unexpected' });
    }
  },
};

class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    Object.assign(this, { status, headers });
  }
}

const routes = [
  ['GET', /^\/api\/health\/(basic|database|external)$/, health],
  ['GET', /^\/api\/health$/, () => json(200, { status: 'ok', version: VERSION, parts: ['basic', 'database', 'external'] })],
  ['POST', /^\/api\/session$/, signIn],
  ['GET', /^\/api\/session$/, async (request) => json(200, { user: await user(request) })],
  ['DELETE', /^\/api\/session$/, async (request) => { await user(request); return json(200, { status: 'signed-out' }); }],
  ['GET', /^\/api\/slots$/, slots],
  ['POST', /^\/api\/bookings$/, book],
  ['GET', /^\/api\/bookings\/([^/]+)$/, async (request, [id]) => json(200, { id, status: 'confirmed', ...(await open('b', id)) })],
  ['DELETE', /^\/api\/bookings\/([^/]+)$/, cancel],
  ['POST', /^\/api\/calendar\/sync$/, sync],
  ['GET', /^\/api\/calendar\/events\/([^/]+)$/, async (request, [id]) => json(200, { event: id, ...(await open('e', id)) })],
  ['POST', /^\/api\/payments$/, pay],
  ['POST', /^\/api\/payments\/([^/]+)\/refund$/, refund],
];

async function api(request, url) {
  const here = routes.filter(([, path]) => path.test(url.pathname));
  if (here.length === 0) throw new Refusal(404, `there is no ${url.pathname}`);
  const route = here.find(([method]) => method === request.method || (method === 'GET' && request.method === 'HEAD'));
  if (!route) throw new Refusal(405, 'method not allowed', { allow: here.map(([method]) => method).join(', ') });
  return route[2](request, route[1].exec(url.pathname).slice(1), url);
}

function health(request, [part]) {
  if (FAIL.has(`health-${part}`)) return json(503, { status: 'failing', version: VERSION, reason: `${part} is down on request` });
  const details = { basic: {}, database: { pool: 8, migrations: 'current' }, external: { calendar: 'reachable', payments: 'reachable' } };
  return json(200, { status: 'ok', version: VERSION, ...details[part] });
}

async function signIn(request) {
  const { email, password } = await body(request, ['email', 'password']);
  if (FAIL.has('smoke-auth')) return json(500, { error: 'sign-in fails on request' });
  if (password.length < 8) throw new Refusal(401, 'wrong email or password');
  return json(201, { token: await seal('s', { email }), user: { email } });
}

async function user(request) {
  const token = /^Bearer (.+)$/.exec(request.headers.get('authorization') ?? '')?.[1];
  if (!token) throw new Refusal(401, 'sign in first');
  return open('s', token, 401);
}

function slots(request, _, url) {
  const date = url.searchParams.get('date') ?? '2026-12-01';
  return json(200, { date, slots: ['09:00', '10:30', '13:00', '15:30'].map((time) => `${date}T${time}`) });
}

async function book(request) {
  const { email } = await user(request);
  const { slot, name } = await body(request, ['slot', 'name']);
  if (FAIL.has('smoke-booking')) return json(500, { error: 'booking fails on request' });
  return json(201, { id: await seal('b', { slot, name, email }), status: 'confirmed', slot });
}

async function cancel(request, [id]) {
  await user(request);
  const { slot } = await open('b', id);
  return json(200, { id, slot, status: FAIL.has('smoke-cancel') ? 'confirmed' : 'cancelled' });
}

async function sync(request) {
  const { booking } = await body(request, ['booking']);
  const { slot } = await open('b', booking);
  if (FAIL.has('smoke-calendar')) return json(202, { event: null });
  return json(202, { event: await seal('e', { slot }) });
}

async function pay(request) {
  const { booking, card } = await body(request, ['booking', 'card']);
  const { slot } = await open('b', booking);
  if (FAIL.has('smoke-payment')) return json(402, { error: 'declined on request' });
  return json(201, { id: await seal('p', { slot, last4: card.slice(-4) }), status: 'authorised' });
}

async function refund(request, [id]) {
  return json(200, { id, ...(await open('p', id)), status: 'refunded' });
}

async function body(request, fields) {
  const value = await request.json().catch(() => { throw new Refusal(400, 'the body is not JSON'); });
  for (const field of fields) {
    if (typeof value?.[field] !== 'string' || value[field] === '') throw new Refusal(400, `\`${field}\` is missing`);
  }
  return value;
}

function json(status, value, headers = {}) {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-booking-version': NAMED, ...headers },
  });
}

// `kind.content.signature`, all base64url. The key is in the open: this is an example, not a bank.
const KEY = crypto.subtle.importKey('raw', new TextEncoder().encode('crossfade-example'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);

async function sign(text) {
  const bytes = new Uint8Array(await crypto.subtle.sign('HMAC', await KEY, new TextEncoder().encode(text)));
  return encode(String.fromCharCode(...bytes.slice(0, 12)));
}

async function seal(kind, content) {
  const text = `${kind}.${encode(JSON.stringify(content))}`;
  return `${text}.${await sign(text)}`;
}

async function open(kind, sealed, status = 404) {
  const [found, content, signature] = sealed.split('.');
  if (found !== kind || signature !== (await sign(`${found}.${content}`))) throw new Refusal(status, 'no such thing');
  return JSON.parse(atob(content.replaceAll('-', '+').replaceAll('_', '/')));
}

function encode(text) {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
