// Writes down what a step said of itself (`STEP`) and who is served at that moment, a line of JSON to the file `SEEN`.

import { appendFileSync } from 'node:fs';

const answer = await fetch(`${process.env.PUBLIC_URL}/version.json`);
const { outcome, outputs } = JSON.parse(process.env.STEP);
const line = { step: process.argv[2], outcome, outputs, served: (await answer.json()).version };
appendFileSync(process.env.SEEN, `${JSON.stringify(line)}\n`);
