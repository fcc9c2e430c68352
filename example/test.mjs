// node --test example/test.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { SWITCHES, build } from './build.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'booking-'));
test.after(() => rmSync(scratch, { recursive: true }));
let count = 0;

async function site(fail = [], version = '1.4.2') {
  const out = join(scratch, String(count++));
  const files = build({ version, out, fail });
  const worker = (await import(`${pathToFileURL(join(out, '_worker.js'))}?${count}`)).default;
  const ASSETS = { fetch: async () => new Response('a page') };
  const call = async (method, path, { body, token, headers = {} } = {}) => {
    if (token) headers.authorization = `Bearer ${token}`;
    const request = new Request(`https://booking.example${path}`, { method, headers, body: body && JSON.stringify(body) });
    const answer = await worker.fetch(request, { ASSETS });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text.startsWith('{') ? JSON.parse(text) : null };
  };
  return { out, files, call };
}

async function journey({ call }) {
  const signIn = await call('POST', '/api/session', { body: { email: 'a@b.c', password: 'correct-horse' } });
  const token = signIn.json?.token;
  const booking = await call('POST', '/api/bookings', { token, body: { slot: '2026-12-01T09:00', name: 'Ada' } });
  const id = booking.json?.id;
  const event = id && await call('POST', '/api/calendar/sync', { body: { booking: id } });
  const payment = id && await call('POST', '/api/payments', { body: { booking: id, card: '4242424242424242' } });
  const cancelled = id && await call('DELETE', `/api/bookings/${id}`, { token });
  return { signIn, booking, event, payment, cancelled };
}

test('the same input gives the same bytes, and every file the page names is there', async () => {
  const [one, other] = [await site(), await site()];
  assert.deepEqual(one.files, other.files);
  for (const file of one.files) assert.equal(readFileSync(join(one.out, file), 'utf8'), readFileSync(join(other.out, file), 'utf8'));
  const page = readFileSync(join(one.out, 'index.html'), 'utf8');
  for (const [, asset] of page.matchAll(/"\/(assets\/[^"]+)"/g)) assert.ok(one.files.includes(asset), asset);
  assert.ok(!readdirSync(one.out).some((name) => name.includes('new-')));
});

test('a visitor can sign in, book, sync, pay, get the money back and cancel', async () => {
  const booking = await site();
  const { signIn, booking: made, event, payment, cancelled } = await journey(booking);
  assert.deepEqual([signIn.status, made.status, event.status, payment.status, cancelled.status], [201, 201, 202, 201, 200]);
  assert.equal(cancelled.json.status, 'cancelled');
  assert.equal((await booking.call('GET', `/api/calendar/events/${event.json.event}`)).status, 200);
  assert.equal((await booking.call('POST', `/api/payments/${payment.json.id}/refund`)).json.status, 'refunded');
  assert.equal(made.headers.get('x-booking-version'), '1.4.2');
});

test('what is wrong is refused by name', async () => {
  const { call } = await site();
  assert.equal((await call('GET', '/api/nothing')).status, 404);
  const wrong = await call('PUT', '/api/session');
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST, GET, DELETE']);
  assert.equal((await call('POST', '/api/session', { body: { email: 'a' } })).json.error, '`password` is missing');
  assert.equal((await call('POST', '/api/bookings', { body: {} })).status, 401);
  assert.equal((await call('GET', '/api/bookings/b.e30.forged')).status, 404);
  assert.throws(() => build({ version: '1', out: scratch, fail: ['nonsense'] }), /no switch `nonsense`/);
});

const effects = {
  'health-basic': async ({ call }) => (await call('GET', '/api/health/basic')).status === 503,
  'health-database': async ({ call }) => (await call('GET', '/api/health/database')).status === 503,
  'health-external': async ({ call }) => (await call('GET', '/api/health/external')).status === 503,
  'smoke-auth': async (site) => (await journey(site)).signIn.status === 500,
  'smoke-booking': async (site) => (await journey(site)).booking.status === 500,
  'smoke-cancel': async (site) => (await journey(site)).cancelled.json.status === 'confirmed',
  'smoke-calendar': async (site) => (await journey(site)).event.json.event === null,
  'smoke-payment': async (site) => (await journey(site)).payment.status === 402,
  'real-host': async ({ call }) =>
    (await call('GET', '/', { headers: { 'x-forwarded-host': 'booking.example' } })).status === 500
    && (await call('GET', '/api/health/basic')).status === 200,
  'slow=30': async ({ call }) => { const start = Date.now(); await call('GET', '/'); return Date.now() - start >= 29; },
  'missing-asset': async ({ out, files }) => {
    const page = readFileSync(join(out, 'index.html'), 'utf8');
    return [...page.matchAll(/"\/(assets\/[^"]+)"/g)].some(([, asset]) => !files.includes(asset));
  },
  'wrong-version': async ({ out }) => JSON.parse(readFileSync(join(out, 'version.json'))).version !== '1.4.2',
};

test('every switch has a test', () => {
  assert.deepEqual(Object.keys(effects).map((name) => name.split('=')[0]).sort(), Object.keys(SWITCHES).sort());
});

for (const [name, hasEffect] of Object.entries(effects)) {
  test(`${name} breaks what it says and the rest works without it`, async () => {
    assert.ok(await hasEffect(await site([name])));
    if (!name.startsWith('slow')) assert.ok(!(await hasEffect(await site())));
  });
}
