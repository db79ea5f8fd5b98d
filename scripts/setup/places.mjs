import { join, resolve } from "node:path";

/** The clone. */
export const root = resolve(import.meta.dirname, "../..");

/** What set-up and embedded mode keep in the clone; safe to remove while nothing runs. */
export const state = join(root, ".scribe");

/** Node and pnpm, where the machine's own do not do. */
export const toolchain = join(state, "toolchain");

/** What Node keeps of the modules that it has compiled. */
export const compileCache = join(state, "compile-cache");
