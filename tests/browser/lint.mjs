// Prints, as JSON, what mail clients do not support in the HTML files that are named: file -> feature -> clients.
// `node lint.mjs CLIENTS FILE...`; CLIENTS are globs with commas between, such as "gmail.*,outlook.*".
// Source of what is supported: https://www.caniemail.com/
import { readFileSync } from "node:fs";
import { caniemail } from "caniemail";

const [clients, ...files] = process.argv.slice(2);
const found = {};
for (const file of files) {
  const { issues } = caniemail({ clients: clients.split(","), html: readFileSync(file, "utf8") });
  found[file] = {};
  for (const [client, features] of issues.errors) {
    for (const { title } of features) {
      const known = (found[file][title] ??= []);
      if (!known.includes(client)) known.push(client);
    }
  }
}
process.stdout.write(JSON.stringify(found));
