// One part of the soak: `node soak.mjs AUTOCANNON URL REQUESTS`. Out: the report of autocannon, and how many visitors went away.
import { connect } from 'node:net';

const [, , module, url, amount] = process.argv;
const { default: autocannon } = await import(module);
const { hostname, port } = new URL(url);

/** How many wait at a time for an answer that takes long, and how long they wait for it. */
const IMPATIENT = 4;
const PATIENCE_MS = 50;

const visitor = (number) => `theme=dark; crossfade=${(number * 0x9e3779b1).toString(16).padStart(32, '4')}`;
const known = (path, number) => ({ path, headers: { cookie: visitor(number) } });
// Of twenty requests one is a first visit, the rest come back; by their cookies half of them are the canary's.
const requests = [
  { path: '/', headers: {} },
  known('/canary/fails', 1),
  known('/canary/app-8f3a2c1d.js', 2),
  known('/canary/appointments', 3),
  known('/sets-cookies', 4),
  known('/sets-cookies', 5),
  ...Array.from({ length: 14 }, (_, index) => known('/appointments/today?week=49', 6 + index)),
];

let going = true;
let gone = 0;
async function goAway(path) {
  while (going) {
    await new Promise((resolve) => {
      const socket = connect(port, hostname, () => socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`));
      socket.on('error', () => {}).on('close', resolve);
      setTimeout(() => socket.destroy(), PATIENCE_MS);
    });
    gone += 1;
  }
}
const away = Array.from({ length: IMPATIENT }, (_, index) => goAway(index % 2 ? '/slow' : '/canary/slow'));
const report = await autocannon({ url, requests, amount: Number(amount), connections: 32 });
going = false;
await Promise.all(away);
console.log(JSON.stringify({ good: report['2xx'], bad: report.non2xx, errors: report.errors, gone }));
