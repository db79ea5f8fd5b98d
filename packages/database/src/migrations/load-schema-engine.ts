import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from "@prisma/driver-adapter-utils";
import * as bindings from "@prisma/schema-engine-wasm/schema_engine_bg";
import { Client, Pool, type QueryArrayResult } from "pg";

// The type libraries of Node do not name WebAssembly; the browser's would bring `window` with it.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: Record<string, unknown>) => { exports: Record<string, unknown> };
};

const INTERNAL_CHAR_OID = 18;
const CHAR_ARRAY_OID = 1002;

/**
 * Prisma's adapter does not know Postgres' one-byte `"char"`, which the catalogue is full of, and the engine insists on
 * its type. So it passes the adapter under the name of its array, which it does know, and gets its own name behind it.
 */
class CatalogueAdapterFactory extends PrismaPg {
  override async connect() {
    const adapter = await super.connect();
    const queryRaw = adapter.queryRaw.bind(adapter);
    adapter.queryRaw = async (query) => {
      const result = await queryRaw(query);
      const columnTypes = result.columnTypes.map((type) =>
        type === ColumnTypeEnum.CharacterArray ? ColumnTypeEnum.Character : type,
      );
      return { ...result, columnTypes };
    };
    return adapter;
  }
}

class CatalogueClient extends Client {
  override query(...args: unknown[]): never {
    const done = args.at(-1);
    // A pool's query hands its own callback down; a client's in a transaction is awaited.
    if (typeof done === "function") {
      args[args.length - 1] = (error: Error | null, result?: QueryArrayResult) => done(error, renameTypes(result));
      return this.#plain(args) as never;
    }
    const running = this.#plain(args);
    return (running instanceof Promise ? running.then(renameTypes) : running) as never;
  }

  #plain(args: unknown[]): unknown {
    return (super.query as (...all: unknown[]) => unknown).apply(this, args);
  }
}

function renameTypes<T extends QueryArrayResult | undefined>(result: T): T {
  for (const field of result?.fields ?? []) {
    if (field.dataTypeID === INTERNAL_CHAR_OID) field.dataTypeID = CHAR_ARRAY_OID;
  }
  return result;
}

let loaded = false;

/**
 * The engine leaves its ten-second lock timeout running when it is done, which would keep the process that long. What it
 * still waits for has a socket, so no timer of its needs to.
 */
function patientTimers(): Record<string, unknown> {
  const names = Object.keys(bindings).filter((name) => name.startsWith("__wbg_setTimeout_"));
  const start = (callback: () => void, delayMs: number) => setTimeout(callback, delayMs >>> 0).unref();
  return Object.fromEntries(names.map((name) => [name, start]));
}

/**
 * Prisma's own schema engine, in its WebAssembly build: what `prisma migrate deploy` runs, without a native binary to
 * download. Node does not import `.wasm`, so the module is instantiated by hand. The engine is lent for `work` and its
 * connections are ended behind it, for they hold the session lock of Prisma.
 */
export async function withSchemaEngine<T>(
  url: string,
  datamodel: string,
  work: (engine: bindings.SchemaEngine) => Promise<T>,
): Promise<T> {
  if (!loaded) {
    const script = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm/schema_engine_bg");
    const module = new WebAssembly.Module(readFileSync(script.replace(/\.js$/, ".wasm")));
    const instance = new WebAssembly.Instance(module, { "./schema_engine_bg.js": { ...bindings, ...patientTimers() } });
    bindings.__wbg_set_wasm(instance.exports);
    (instance.exports.__wbindgen_start as () => void)();
    loaded = true;
  }
  const pool = new Pool({ connectionString: url, application_name: "scribe-migrations", Client: CatalogueClient });
  try {
    const adapter = bindMigrationAwareSqlAdapterFactory(new CatalogueAdapterFactory(pool));
    const engine = await bindings.SchemaEngine.new(
      { datamodels: [["schema.prisma", datamodel]] },
      () => undefined,
      adapter,
    );
    try {
      return await work(engine);
    } finally {
      engine.free();
    }
  } finally {
    await pool.end();
  }
}
