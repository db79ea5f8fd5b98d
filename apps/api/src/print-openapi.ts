import { routes } from "./http/routes.ts";
import { buildDocument } from "./openapi/build-document.ts";
import { readVersion } from "./read-version.ts";

// Only the document goes to standard output, so that it can be piped.
process.stdout.write(`${JSON.stringify(buildDocument(routes, { version: readVersion() }), null, 2)}\n`);
