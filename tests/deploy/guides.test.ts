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

/** Variables of a guide's commands that are used before anything gave them a value. */
function usedTooEarly(markdown: string): string[] {
  const commands = [...markdown.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!).join("\n");
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

test("a value that comes too late is found", () => {
  expect(usedTooEarly('```sh\necho "$A"\nexport A=1 B=2\necho "$B"\n```')).toEqual(["A"]);
});

describe.each(["docs/deploy-aws.md", "docs/deploy-gcp.md", "docs/deploy-yandex.md", "docs/upgrade.md"])(
  "%s",
  (guide) => {
    const text = read(guide);

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
  },
);

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
