// Validates custom resources against their CRDs' schemas: node valid.mjs OBJECTS.json
// OBJECTS.json: a list of {module, object}. Prints a line for each object that is invalid; exit code 1 if there is one.
import { readFile } from "node:fs/promises";

let failed = 0;
for (const { module, object } of JSON.parse(await readFile(process.argv[2], "utf8"))) {
  const models = await import(module);
  try {
    new models[object.kind](object).validate();
  } catch (error) {
    failed = 1;
    console.log(`${object.kind} ${object.metadata.name}: ${error.message}`);
  }
}
process.exit(failed);
