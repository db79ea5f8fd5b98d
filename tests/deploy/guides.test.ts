import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { readTemplate } from "./check-cloudformation.ts";
import { SECRET_NAMES, SETTING_NAMES } from "./setting-names.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Of the shell itself. */
const GIVEN = new Set(["HOME", "PATH", "PWD"]);

/** All commands of a guide, in their order. */
const commandsOf = (markdown: string) =>
  [...markdown.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!).join("\n");

/** Variables of a guide's commands that are used before anything gave them a value. */
function usedTooEarly(markdown: string): string[] {
  const commands = commandsOf(markdown);
  const known = new Set(GIVEN);
  const early: string[] = [];
  for (const line of commands.split("\n")) {
    // What a quoted program (jq's own variables) or a function's body reads is its own matter.
    const own = line.replace(/\\\$/g, "");
    for (const [, name] of own.matchAll(/(?:^|[\s;(])(?:export\s+)?([A-Za-z_]\w*)=/g)) known.add(name!);
    for (const [, name] of own.matchAll(/\bfor (\w+) in\b/g)) known.add(name!);
    for (const [, names] of own.matchAll(/--arg (\w+) /g)) known.add(names!);
    for (const [, name] of own.matchAll(/\$\{?([A-Za-z_]\w*)/g)) if (!known.has(name!)) early.push(name!);
    for (const [, name] of own.matchAll(/\$\{?([A-Z_]\w*)/g)) if (!known.has(name!)) early.push(name!);
  }
  return [...new Set(early)];
}

/** What stands for something that the reader would have to know: `<name>`, `…`. */
function leftOpen(markdown: string): string[] {
  const commands = commandsOf(markdown).replaceAll(/(^|\s)# .*$/gm, "");
  return [...commands.matchAll(/(?<![<\w])<[a-z][\w -]*>|…/g)].map(([found]) => found);
}

/** Files outside the clone, and files of variables, that a command reads before another has written them. */
function readTooEarly(markdown: string): string[] {
  const written = new Set<string>();
  const early: string[] = [];
  for (const line of commandsOf(markdown).split("\n")) {
    for (const [, path] of line.matchAll(/(?:>|\s-\w*o)\s*(\/tmp\/[\w.-]+|[\w.-]+\.env)/g)) written.add(path!);
    for (const [, path] of line.matchAll(/(\/tmp\/[\w.-]+)/g)) if (!written.has(path!)) early.push(path!);
    for (const [, path] of line.matchAll(/--env-file (\S+)/g)) if (!written.has(path!)) early.push(path!);
  }
  return early;
}

/** Programs that not every machine has. */
const PROGRAMS = ["aws", "docker", "eksctl", "gcloud", "helm", "jq", "kind", "kubectl", "openssl", "yc"];

/** Those that a guide's commands start and its beginning does not name. */
function unnamedPrograms(markdown: string): string[] {
  const commands = commandsOf(markdown);
  const beginning = markdown.slice(0, markdown.indexOf("```sh")).toLowerCase();
  return PROGRAMS.filter(
    (name) =>
      new RegExp(`(^|[|;(&]\\s*|\\$\\(\\s*)${name} `, "m").test(commands) &&
      !new RegExp(`\\b${name}\\b`).test(beginning),
  );
}

test("a value that comes too late is found", () => {
  expect(usedTooEarly('```sh\necho "$A"\nexport A=1 B=2\necho "$B"\n```')).toEqual(["A"]);
});

test("what is left open, read before it is there, or not named as needed is found", () => {
  const guide =
    "You need `kubectl`.\n```sh\nkubectl get <your-pod> …   # … may be here\njq . /tmp/a\njq . > /tmp/b\ncat /tmp/b <<EOF\n```";
  expect(leftOpen(guide)).toEqual(["<your-pod>", "…"]);
  expect(readTooEarly(guide)).toEqual(["/tmp/a"]);
  expect(unnamedPrograms(guide)).toEqual(["jq"]);
});

const DEPLOYMENTS = ["aws", "gcp", "yandex", "kubernetes"].map((name) => `docs/deploy-${name}.md`);

describe.each(DEPLOYMENTS)("%s", (guide) => {
  const text = read(guide);
  const commands = commandsOf(text);

  test("makes the admin key, the images, the schema, and the first transcript", () => {
    expect(commands).toMatch(/^export SCRIBE_ADMIN_KEY=sr_\$\(openssl rand/m);
    for (const name of ["api", "worker-cpu"]) expect(commands).toMatch(new RegExp(`docker (push|build)[^\n]*${name}:`));
    expect(text).toMatch(/job\/scribe-migrate|migrates the database when it starts/);
    expect(commands).toContain("/api/v1/transcribe/upload");
    expect(commands).toContain("/transcript?format=text");
    for (const [, path] of commands.matchAll(/file=@(\S+?)[\s"]/g)) expect(existsSync(join(root, path!))).toBe(true);
  });

  test("says which model it runs", () => {
    expect(text).toMatch(/^export MODEL=|`SCRIBE_MODEL=/m);
  });
});

describe.each([...DEPLOYMENTS, "docs/upgrade.md", "docs/containers.md"])("%s", (guide) => {
  const text = read(guide);

  test("leaves nothing open, and says which programs it needs", () => {
    expect(leftOpen(text)).toEqual([]);
    expect(readTooEarly(text)).toEqual([]);
    if (guide !== "docs/upgrade.md") expect(unnamedPrograms(text)).toEqual([]);
  });

  test("names every value before a command uses it", () => {
    expect(usedTooEarly(text)).toEqual([]);
  });

  test("names files and commands of the project that there are", () => {
    const paths = [...text.matchAll(/(?<![\w/])((?:deploy|docs|models|scripts)\/[\w./*-]+|Dockerfile\.\w+)/g)].map(
      ([, path]) => path!,
    );
    const made = /overlays\/yandex|\*|^deploy\/scribe-/;
    const missing = paths
      .map((path) => path.replace(/[.:]$/, ""))
      .filter((path) => !made.test(path) && !existsSync(join(root, path)));
    expect(missing).toEqual([]);
    const tasks = read("package.json");
    for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g)) expect(tasks).toContain(`"${name}"`);
    for (const [, anchor = ""] of text.matchAll(/\]\(([\w-]+\.md)/g))
      expect(existsSync(join(root, "docs", anchor))).toBe(true);
  });
});

test("the guide of AWS gives every parameter that the template wants", () => {
  const template = readTemplate(read("deploy/ecs/scribe.yaml"));
  const guide = read("docs/deploy-aws.md");
  const wanted = Object.entries(template.Parameters).filter(([, parameter]) => !("Default" in parameter));
  for (const [name] of wanted) expect(guide).toContain(`${name}=`);
});

test("Cloud Run keeps its CPU and one instance, streams for an hour, and gets settings and secrets", () => {
  const service = parse(read("deploy/gcp/api.cloud-run.yaml")) as {
    kind: string;
    spec: {
      template: {
        metadata: { annotations: Record<string, string> };
        spec: {
          timeoutSeconds: number;
          containers: { env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string } } }[] }[];
        };
      };
    };
  };
  const { metadata, spec } = service.spec.template;
  expect(metadata.annotations).toMatchObject({
    "run.googleapis.com/cpu-throttling": "false",
    "autoscaling.knative.dev/minScale": "1",
  });
  expect(spec.timeoutSeconds).toBe(3600);
  const guide = read("docs/deploy-gcp.md");
  expect(guide).toContain("32 MiB");
  for (const { name, value, valueFrom } of spec.containers[0]!.env) {
    expect(SETTING_NAMES).toContain(name);
    expect(SECRET_NAMES.has(name)).toBe(value === undefined);
    // As the guide makes their names of the variables'.
    if (valueFrom)
      expect(valueFrom.secretKeyRef.name).toBe(
        `scribe-${name
          .toLowerCase()
          .replaceAll("_", "-")
          .replace(/^scribe-/, "")}`,
      );
  }
});

test("the API is told the model that the workers' image has baked in", () => {
  for (const overlay of ["gke", "eks"]) {
    expect(read(`deploy/kubernetes/overlays/${overlay}/${overlay}.env`)).toContain("SCRIBE_MODEL=MODEL\n");
  }
  for (const guide of ["aws", "gcp"]) {
    const commands = commandsOf(read(`docs/deploy-${guide}.md`));
    expect(commands).toContain("s|=MODEL|=$MODEL|");
    expect(commands).toContain('--build-arg MODEL="$MODEL"');
  }
  expect(commandsOf(read("docs/deploy-gcp.md"))).toContain("s|value: MODEL|value: $MODEL|");
  expect(read("deploy/gcp/api.cloud-run.yaml")).toContain("{ name: SCRIBE_MODEL, value: MODEL }");
  const { Resources } = readTemplate(read("deploy/ecs/scribe.yaml"));
  for (const name of ["ApiTask", "GpuTask"]) {
    const [container] = Resources[name]!.Properties!.ContainerDefinitions as { Environment: object[] }[];
    expect(container!.Environment).toContainEqual({ Name: "SCRIBE_MODEL", Value: { Ref: "Model" } });
  }
});
