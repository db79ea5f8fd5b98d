import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const BUILD_LIMIT_MS = 600_000;

/** Programs of whisper.cpp, compiled for this very processor. */
export interface WhisperCpp {
  /** Times the encoder and single steps; prints what the processor offers. */
  bench: string;
  /** Transcribes a WAV file. */
  main: string;
}

const LIBRARY = ["ggml", "ggml-alloc", "ggml-backend", "ggml-quants", "ggml-aarch64"].map(
  (name) => `ggml/src/${name}.c`,
);
const COMMON = ["examples/common.cpp", "examples/common-ggml.cpp", "examples/grammar-parser.cpp"];
const SOURCES = [...LIBRARY, "ggml/src/sgemm.cpp", "src/whisper.cpp", ...COMMON];

/**
 * Compiles whisper.cpp's own programs from the sources in `smart-whisper`, once, with all that this processor offers
 * (`-march=native`, OpenMP, its fast matrix products): prebuilt ones are made for the processors of 2003. Needs gcc and g++.
 */
export async function buildWhisperCpp(folder: string): Promise<WhisperCpp> {
  const programs = { bench: join(folder, "bench"), main: join(folder, "main") };
  if (Object.values(programs).every(existsSync)) return programs;
  await mkdir(join(folder, "llamafile"), { recursive: true });
  const require = createRequire(import.meta.url);
  const root = join(dirname(require.resolve("smart-whisper")), "..", "whisper.cpp");
  // Its fast products are included from a folder that the package has flattened.
  await copyFile(join(root, "ggml/src/sgemm.h"), join(folder, "llamafile/sgemm.h"));
  const definitions = ["_GNU_SOURCE", "_XOPEN_SOURCE=600", "NDEBUG", "GGML_USE_OPENMP", "GGML_USE_LLAMAFILE"];
  const includes = [folder, ...["include", "ggml/include", "ggml/src", "examples"].map((path) => join(root, path))];
  const flags = ["-O3", "-march=native", "-fopenmp", "-pthread", ...definitions.map((name) => `-D${name}`)];
  for (const path of includes) flags.push(`-I${path}`);
  const compile = async (source: string) => {
    const object = join(folder, `${basename(source)}.o`);
    const [compiler, standard] = source.endsWith(".c") ? ["gcc", "-std=gnu11"] : ["g++", "-std=c++17"];
    // In this copy of the sources the products forget to include what they need.
    const extra = source.endsWith("sgemm.cpp") ? ["-include", "ggml-cpu-impl.h"] : [];
    await run(compiler, [standard, ...flags, ...extra, "-w", "-c", join(root, source), "-o", object], {
      timeout: BUILD_LIMIT_MS,
    });
    return object;
  };
  console.log("Compiling whisper.cpp for this processor (once) …");
  const objects = await Promise.all(SOURCES.map(compile));
  for (const [name, program] of Object.entries(programs)) {
    const own = await compile(`examples/${name}/${name}.cpp`);
    await run("g++", ["-o", program, own, ...objects, "-fopenmp", "-pthread"], { timeout: BUILD_LIMIT_MS });
  }
  return programs;
}
