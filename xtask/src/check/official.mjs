// GitHub's own checks of workflows and actions (https://github.com/actions/languageservices): the packages' directory, then files.

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

// The packages import JSON without saying that it is, which Node refuses.
const json = { importAttributes: { type: 'json' } };
registerHooks({ load: (url, context, next) => next(url, url.endsWith('.json') ? { ...context, ...json } : context) });

const [modules, ...files] = process.argv.slice(2);
const of = (path) => import(pathToFileURL(join(modules, path)).href);
const { validate } = await of('@actions/languageservice/dist/validate.js');
const { TextDocument } = await of('vscode-languageserver-textdocument/lib/esm/main.js');

for (const file of files) {
  for (const { range, message } of await validate(TextDocument.create(`file:///${file}`, 'yaml', 1, readFileSync(file, 'utf8')))) {
    console.error(`${file}:${range.start.line + 1}:${range.start.character + 1}: ${message}`);
    process.exitCode = 1;
  }
}
