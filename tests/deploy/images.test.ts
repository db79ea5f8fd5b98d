import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { parse, parseAllDocuments } from "yaml";
import { readDockerfile } from "./read-dockerfile.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** One name for each image, wherever it is built, started or pushed; a registry's prefix and a tag may stand around it. */
const OURS = ["api", "worker-cpu", "worker-cuda"];

const texts = new Map(
  [
    ...["deploy", "docs", "tests/deploy"].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
    ),
    ...["docker-compose.yml", "Dockerfile.api", "Dockerfile.worker", "README.md", "CONTRIBUTING.md"],
  ]
    .filter((path) => /\.(ya?ml|md|sh|ts|env)$|Dockerfile\.\w+$/.test(path))
    .filter((path) => !path.startsWith("tests/deploy/images.test"))
    .map((path): [string, string] => [path, read(path)]),
);

/** Names of images of ours as a text has them: behind `scribe-rabbit/`, or behind a registry. */
const named = (text: string) =>
  [...text.matchAll(/(?:scribe-rabbit|\/scribe|\$IMAGES|\$REGISTRY)\/((?:api|worker)[\w-]*)/g)].map(
    ([, name]) => name!,
  );

test("an image of ours has one name everywhere", () => {
  const found = [...texts].flatMap(([path, text]) => named(text).map((name) => ({ path, name })));
  expect(found.filter(({ name }) => !OURS.includes(name))).toEqual([]);
  expect([...new Set(found.map(({ name }) => name))].sort()).toEqual(OURS);
  // Nothing has the target as its tag: that is what the name says.
  for (const [path, text] of texts) expect([path, /\bworker:(cpu|cuda)\b/.test(text)]).toEqual([path, false]);
});

test("a name says its Dockerfile's target", () => {
  const targets = (file: string) => readDockerfile(read(file)).stages.map(({ name }) => name);
  for (const name of OURS) {
    const [app, target = app] = name.split("-");
    expect(targets(`Dockerfile.${app}`)).toContain(target);
  }
});

test("every image that a guide's manifests take is pushed by that guide", () => {
  for (const guide of ["docs/deploy-aws.md", "docs/deploy-gcp.md"]) {
    const pushed = [...read(guide).matchAll(/docker push ([^\n]+)/g)].flatMap(([, rest]) => named(rest!));
    expect(pushed.sort()).toEqual(OURS);
  }
  const overlays = ["gke", "eks"].map((name) => `deploy/kubernetes/overlays/${name}/kustomization.yaml`);
  for (const overlay of overlays) {
    const { images } = parse(read(overlay)) as { images: { name: string; newName: string; newTag: string }[] };
    expect(images.map(({ name }) => name.replace("scribe-rabbit/", "")).sort()).toEqual(OURS);
    for (const { name, newName, newTag } of images) {
      expect(newName.endsWith(`/scribe/${name.replace("scribe-rabbit/", "")}`)).toBe(true);
      expect(newTag).toBe("VERSION");
    }
  }
});

test("images of others are the same in compose and in Kubernetes", () => {
  const compose = parse(read("docker-compose.yml"), { merge: true }) as {
    services: Record<string, { image: string; build?: object }>;
  };
  const theirs = (image: string) => !image.startsWith("scribe-rabbit/");
  const inCompose = Object.values(compose.services)
    .map(({ image }) => image)
    .filter(theirs);
  const data = parseAllDocuments(read("deploy/kubernetes/overlays/local/data.yaml")).flatMap((document) => {
    const { spec } = document.toJS() as { spec?: { template?: { spec: { containers: { image: string }[] } } } };
    return spec?.template?.spec.containers.map(({ image }) => image) ?? [];
  });
  expect(data.length).toBe(2);
  for (const image of data) expect(inCompose).toContain(image);
});
