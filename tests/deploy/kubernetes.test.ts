import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { parse } from "yaml";
import { API_ONLY, SET_ELSEWHERE } from "../../deploy/kubernetes/settings.ts";
import { containersOf, type Resource, renderKustomization, templateOf } from "./render-kustomization.ts";
import { SECRET_NAMES, SETTING_NAMES } from "./setting-names.ts";
import { wrongNames } from "./used-metrics.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "deploy/kubernetes");
const modules = join(root, "tests/node_modules");

/** Where the types of each API live. */
const PACKAGES: [RegExp, string][] = [
  [/^keda\.sh\//, "@kubernetes-models/keda"],
  [/^monitoring\.coreos\.com\//, "@kubernetes-models/prometheus-operator"],
  [/^(networking\.gke\.io|cloud\.google\.com)\//, "@kubernetes-models/gke"],
  [/^serving\.knative\.dev\//, "@kubernetes-models/knative"],
  [/./, "kubernetes-models"],
];

const packageOf = ({ apiVersion }: Resource) => PACKAGES.find(([pattern]) => pattern.test(apiVersion))![1];

/** Fails where a resource does not hold to its schema. */
async function validate(resource: Resource): Promise<void> {
  const path = `${packageOf(resource)}/${resource.apiVersion}/${resource.kind}`;
  // What the guides fill in.
  const filled = JSON.parse(JSON.stringify(resource).replaceAll("DOMAIN", "scribe.example.com")) as Resource;
  const models = (await import(path)) as Record<string, new (data: object) => { validate(): void }>;
  new models[resource.kind]!(filled).validate();
}

const cloudRun = parse(readFileSync(join(root, "deploy/gcp/api.cloud-run.yaml"), "utf8")) as Resource;

/** A quantity of memory, as far as ours go: `512Mi`, `8Gi`. NaN where there is none. */
function bytesOf(quantity: string | undefined): number {
  const [, count, unit] = /^(\d+)(Mi|Gi)$/.exec(quantity ?? "") ?? [];
  return Number(count) * (unit === "Gi" ? 2 ** 30 : 2 ** 20);
}

const languageModel = renderKustomization(join(folder, "language-model"));

const rendered = ["overlays/local", "overlays/gke", "overlays/gke-cloud-run", "overlays/eks", "base"].map(
  (place): [string, Resource[]] => [place, renderKustomization(join(folder, place))],
);

describe.each(rendered)("%s", (_place, resources) => {
  const of = (kind: string) => resources.filter((resource) => resource.kind === kind);
  const pods = resources.filter((resource) => containersOf(resource).length > 0);
  const ours = pods.filter((resource) => containersOf(resource).some(({ image }) => /scribe/.test(image)));

  test("every resource holds to its schema", async () => {
    for (const resource of resources) await expect(validate(resource)).resolves.toBeUndefined();
  });

  test("no two resources have one name", () => {
    const names = resources.map(({ apiVersion, kind, metadata }) => `${apiVersion}/${kind}/${metadata.name}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test("pods are not root, change nothing of their image, and say what they need", () => {
    for (const pod of pods) {
      const { securityContext, automountServiceAccountToken } = templateOf(pod)!.spec;
      expect([pod.metadata.name, securityContext]).toEqual([
        pod.metadata.name,
        expect.objectContaining({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } }),
      ]);
      expect(automountServiceAccountToken).toBe(false);
      for (const container of containersOf(pod)) {
        expect(container.securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          ...(ours.includes(pod) && { readOnlyRootFilesystem: true }),
          capabilities: { drop: ["ALL"] },
        });
        expect(container.resources?.requests).toMatchObject({ cpu: expect.anything(), memory: expect.anything() });
        expect(bytesOf(container.resources?.limits?.memory)).toBeGreaterThanOrEqual(
          bytesOf(container.resources?.requests?.memory),
        );
      }
    }
  });

  test("what mounts has a volume, and what is read-only can write where it must", () => {
    for (const pod of ours) {
      const volumes = templateOf(pod)!.spec.volumes?.map(({ name }) => name) ?? [];
      for (const { volumeMounts = [] } of containersOf(pod)) {
        expect(volumes).toEqual(expect.arrayContaining(volumeMounts.map(({ name }) => name)));
        expect(volumeMounts.map(({ mountPath }) => mountPath)).toEqual(expect.arrayContaining(["/data", "/tmp"]));
      }
    }
  });

  test("services that run have probes, and time to hand back", () => {
    const settings = of("ConfigMap")[0]!.data as Record<string, string>;
    for (const pod of ours.filter(({ kind }) => kind === "Deployment")) {
      const grace = templateOf(pod)!.spec.terminationGracePeriodSeconds!;
      expect(grace).toBeGreaterThanOrEqual(Number(settings.SHUTDOWN_GRACE_SECONDS) + 15);
      for (const container of containersOf(pod)) {
        expect(container).toMatchObject({
          startupProbe: expect.anything(),
          readinessProbe: expect.anything(),
          livenessProbe: expect.anything(),
        });
      }
    }
  });

  test("selectors find what they are for", () => {
    const labels = pods.map((pod) => templateOf(pod)!.metadata?.labels ?? {});
    const found = (wanted: Record<string, string>) =>
      labels.some((set) => Object.entries(wanted).every(([key, value]) => set[key] === value));
    for (const service of of("Service")) {
      expect([service.metadata.name, found((service.spec as { selector: Record<string, string> }).selector)]).toEqual([
        service.metadata.name,
        true,
      ]);
    }
    for (const budget of of("PodDisruptionBudget")) {
      expect(found((budget.spec as { selector: { matchLabels: Record<string, string> } }).selector.matchLabels)).toBe(
        true,
      );
    }
    for (const deployment of of("Deployment")) {
      const { selector } = deployment.spec as { selector: { matchLabels: Record<string, string> } };
      expect(templateOf(deployment)!.metadata!.labels).toMatchObject(selector.matchLabels);
    }
  });

  test("maintenance and webhooks are never at zero, and one of each role runs", () => {
    const roles = new Map(
      of("Deployment").flatMap((deployment) =>
        containersOf(deployment).flatMap(({ env = [] }) =>
          env
            .filter(({ name }) => name === "WORKER_ROLES")
            .flatMap(({ value }) => value!.split(",").map((role): [string, Resource] => [role, deployment])),
        ),
      ),
    );
    expect([...roles.keys()].sort()).toEqual(["enhancement", "maintenance", "transcription", "webhooks"]);
    for (const role of ["enhancement", "maintenance", "webhooks"]) {
      expect((roles.get(role)!.spec as { replicas: number }).replicas).toBeGreaterThanOrEqual(1);
    }
    for (const scaled of of("ScaledObject")) {
      expect((scaled.spec as { scaleTargetRef: { name: string } }).scaleTargetRef.name).toBe("scribe-worker");
    }
  });

  test("labels part a release into migration, workers and API, as docs/upgrade.md applies them", () => {
    const componentOf = ({ metadata }: Resource) => metadata.labels?.["app.kubernetes.io/component"];
    const migration = resources.filter((resource) => componentOf(resource) === "migrate");
    expect(migration.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual(["Job/scribe-migrate"]);
    const early = ours.filter((resource) => componentOf(resource) !== "api").map(({ metadata }) => metadata.name);
    expect(early.sort()).toEqual(["scribe-maintenance", "scribe-migrate", "scribe-webhooks", "scribe-worker"]);
  });

  test("every variable is a setting, secrets come by reference, and the configuration can be read", () => {
    const settings = of("ConfigMap")[0]!.data as Record<string, string>;
    for (const pod of ours) {
      for (const { env = [] } of containersOf(pod)) {
        for (const { name, value } of env) {
          expect(SETTING_NAMES).toContain(name);
          if (SECRET_NAMES.has(name)) expect(value).toBeUndefined();
        }
        const plain = Object.fromEntries(env.filter(({ value }) => value).map(({ name, value }) => [name, value!]));
        expect(readConfig({ ...settings, ...plain }).warnings).toEqual([]);
      }
    }
    expect(Object.keys(settings).filter((name) => !SETTING_NAMES.has(name) || SECRET_NAMES.has(name))).toEqual([]);
  });
});

test("the service of Cloud Run holds to Knative's schema", async () => {
  await expect(validate(cloudRun)).resolves.toBeUndefined();
  await expect(validate({ ...cloudRun, spec: { template: { spec: { containers: "api" } } } })).rejects.toThrow();
});

test("what only the API has a use for, only the API gets", () => {
  for (const [, resources] of rendered) {
    for (const resource of resources) {
      const own = containersOf(resource).flatMap(({ env = [] }) => env.map(({ name }) => name));
      const secrets = own.filter((name) => API_ONLY.has(name));
      expect([resource.metadata.name, secrets]).toEqual([
        resource.metadata.name,
        resource.metadata.name === "scribe-api" && resource.kind === "Deployment" ? [...API_ONLY] : [],
      ]);
    }
  }
  const example = readFileSync(join(folder, "secrets.example.env"), "utf8");
  const [shared = "", apiOnly = ""] = example.split("# Secret scribe-admin");
  for (const name of SECRET_NAMES)
    expect([name, API_ONLY.has(name) ? apiOnly : shared]).toEqual([name, expect.stringContaining(`${name}=`)]);
});

test("the way to a language model in the cluster is that of the processes that ask", async () => {
  const [policy] = languageModel;
  await expect(validate(policy!)).resolves.toBeUndefined();
  const { podSelector } = policy!.spec as { podSelector: { matchLabels: Record<string, string> } };
  const asking = renderKustomization(join(folder, "base")).filter((resource) =>
    containersOf(resource).some(({ env = [] }) =>
      env.some(({ name, value }) => name === "WORKER_ROLES" && /enhancement|transcription/.test(value!)),
    ),
  );
  expect(asking.map(({ metadata }) => metadata.name).sort()).toEqual(["scribe-webhooks", "scribe-worker"]);
  for (const resource of asking) expect(templateOf(resource)!.metadata!.labels).toMatchObject(podSelector.matchLabels);
});

test("what Yandex Cloud's guide writes is an overlay like the others", async () => {
  const guide = readFileSync(join(root, "docs/deploy-yandex.md"), "utf8");
  const [, block = ""] = /```sh\n(mkdir -p deploy\/kubernetes\/overlays\/yandex\n[\s\S]*?)kubectl /.exec(guide) ?? [];
  const place = mkdtempSync(join(tmpdir(), "scribe-overlay-"));
  try {
    cpSync(folder, join(place, "deploy/kubernetes"), { recursive: true });
    const env = { DOMAIN: "scribe.example.com", EMAIL: "you@example.com", BUCKET: "b", MODEL: "owner/name" };
    const images = { REGISTRY: "cr.yandex/c", VERSION: "abc1234" };
    const shell = spawnSync("sh", ["-eu", "-c", block], {
      ...{ cwd: place, encoding: "utf8", env: { PATH: process.env.PATH!, ...env, ...images } },
    });
    expect([shell.status, shell.stderr]).toEqual([0, ""]);
    const resources = renderKustomization(join(place, "deploy/kubernetes/overlays/yandex"));
    for (const resource of resources) await expect(validate(resource)).resolves.toBeUndefined();
    const used = resources.flatMap(containersOf).map(({ image }) => image);
    expect([...new Set(used)].sort()).toEqual(
      ["api", "worker-cpu", "worker-cuda"].map((name) => `cr.yandex/c/${name}:abc1234`),
    );
    const worker = resources.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "scribe-worker")!;
    expect(templateOf(worker)!.spec).toMatchObject({ nodeSelector: { "yandex.cloud/gpu": "true" } });
    const settings = resources.find(({ kind }) => kind === "ConfigMap")!.data as Record<string, string>;
    expect(settings).toMatchObject({ SCRIBE_MODEL: "owner/name", S3_BUCKET: "b" });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test("no field is unknown to the types of its API", () => {
  // The packages' validators pass over unknown fields; the compiler does not.
  mkdirSync(join(root, ".tsbuild"), { recursive: true });
  const place = mkdtempSync(join(root, ".tsbuild", "manifests-"));
  try {
    const all = [...rendered.flatMap(([, resources]) => resources), ...languageModel, cloudRun];
    const lines = all.map((resource) => {
      const path = `${packageOf(resource)}/${resource.apiVersion}/${resource.kind}`;
      return `((_: import("${path}").I${resource.kind}) => {})(${JSON.stringify(resource)});`;
    });
    writeFileSync(join(place, "manifests.ts"), lines.join("\n"));
    symlinkSync(modules, join(place, "node_modules"));
    const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, module: "nodenext", types: [] };
    writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["manifests.ts"] }));
    const tsc = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", place], {
      encoding: "utf8",
    });
    expect(tsc.stdout + tsc.stderr).toBe("");
    // And it does look.
    writeFileSync(join(place, "manifests.ts"), lines[0]!.replace('"metadata":{', '"metadata":{"nam":"x",'));
    expect(spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", place]).status).not.toBe(
      0,
    );
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}, 60_000);

test("every setting stands in a manifest's file, or is set by the platform", () => {
  const text = ["base/scribe.env", "secrets.example.env"]
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n");
  const shown = new Set([...text.matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name!));
  const missing = [...SETTING_NAMES].filter(
    (name) => !shown.has(name) && !SET_ELSEWHERE.has(name) && !SECRET_NAMES.has(name.replace(/_FILE$/, "")),
  );
  expect(missing).toEqual([]);
  expect([...shown].filter((name) => !SETTING_NAMES.has(name))).toEqual([]);
});

test("KEDA asks what the recording rule says, and takes no answer for no work", () => {
  const [scaled] = renderKustomization(join(folder, "base")).filter(({ kind }) => kind === "ScaledObject");
  const { triggers, fallback } = scaled!.spec as {
    triggers: { metricType: string; metadata: Record<string, string> }[];
    fallback: { replicas: number };
  };
  const { groups } = parse(readFileSync(join(root, "deploy/prometheus/rules.yaml"), "utf8")) as {
    groups: { rules: { record?: string; expr: string }[] }[];
  };
  const rule = groups.flatMap(({ rules }) => rules).find(({ record }) => record === "scribe:wanted_workers");
  const squeeze = (text: string) => text.replace(/\s+/g, " ").trim();
  expect(squeeze(triggers[0]!.metadata.query!)).toBe(squeeze(rule!.expr));
  expect(wrongNames(triggers[0]!.metadata.query!)).toEqual([]);
  expect(triggers[0]).toMatchObject({
    metricType: "AverageValue",
    metadata: { threshold: "1", ignoreNullValues: "false" },
  });
  expect(fallback.replicas).toBeGreaterThan(0);
});

describe("the renderer", () => {
  test("refuses what it does not know", () => {
    expect(() => renderKustomization(join(import.meta.dirname, "fixtures/unknown-field"))).toThrow(/helmCharts/);
  });
});
