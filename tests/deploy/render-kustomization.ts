import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

export interface Resource {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

interface Generator {
  name: string;
  behavior?: "create" | "merge";
  envs?: string[];
  literals?: string[];
}

interface Kustomization {
  apiVersion: string;
  kind: string;
  namespace?: string;
  resources: string[];
  configMapGenerator?: Generator[];
  secretGenerator?: Generator[];
  labels?: { pairs: Record<string, string>; includeTemplates?: boolean }[];
  patches?: { path: string }[];
  images?: { name: string; newName?: string; newTag?: string }[];
}

const KNOWN = new Set(
  "apiVersion kind namespace resources configMapGenerator secretGenerator labels patches images".split(" "),
);

const CLUSTER_WIDE = new Set(["Namespace"]);

/** What stands for the hash of the content that kustomize appends to generated names. */
const SUFFIX = "-5f2h8k9m7t";

/**
 * Renders a kustomization as `kubectl kustomize` would, as far as ours go: resources, generators with hashed names,
 * namespace, labels, strategic-merge patches, images. Any other field is an error, so that nothing is passed over.
 */
export function renderKustomization(folder: string): Resource[] {
  return withHashes(build(folder));
}

function build(folder: string): Resource[] {
  const kustomization = parse(readFileSync(join(folder, "kustomization.yaml"), "utf8")) as Kustomization;
  const unknown = Object.keys(kustomization).filter((field) => !KNOWN.has(field));
  if (unknown.length > 0) throw new Error(`${folder}: this renderer does not know ${unknown.join(", ")}`);
  let resources = kustomization.resources.flatMap((entry) => {
    const path = join(folder, entry);
    return statSync(path).isDirectory() ? build(path) : readResources(path);
  });
  for (const generator of kustomization.configMapGenerator ?? []) generate("ConfigMap", generator, folder, resources);
  for (const generator of kustomization.secretGenerator ?? []) generate("Secret", generator, folder, resources);
  for (const { path } of kustomization.patches ?? []) {
    for (const patch of readResources(join(folder, path))) resources = applyPatch(resources, patch, path);
  }
  for (const resource of resources) {
    if (kustomization.namespace && !CLUSTER_WIDE.has(resource.kind)) {
      resource.metadata.namespace = kustomization.namespace;
    }
    for (const { pairs, includeTemplates } of kustomization.labels ?? []) {
      resource.metadata.labels = { ...resource.metadata.labels, ...pairs };
      const template = templateOf(resource);
      if (includeTemplates && template)
        template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, ...pairs } };
    }
    for (const { name, newName = name, newTag } of kustomization.images ?? []) {
      for (const container of containersOf(resource)) {
        if (container.image === name) container.image = newTag ? `${newName}:${newTag}` : newName;
      }
    }
  }
  return resources;
}

function readResources(path: string): Resource[] {
  return parseAllDocuments(readFileSync(path, "utf8"), { merge: false }).map((document) => {
    if (document.errors.length > 0) throw new Error(`${path}: ${document.errors[0]!.message}`);
    return document.toJS() as Resource;
  });
}

function generate(kind: "ConfigMap" | "Secret", generator: Generator, folder: string, resources: Resource[]): void {
  const lines = [
    ...(generator.envs ?? []).flatMap((file) => readFileSync(exampleOr(join(folder, file)), "utf8").split("\n")),
    ...(generator.literals ?? []),
  ].filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const data = Object.fromEntries(
    lines.map((line): [string, string] => {
      const at = line.indexOf("=");
      if (at < 1) throw new Error(`${folder}: ${line} is no NAME=value`);
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const field = kind === "ConfigMap" ? "data" : "stringData";
  const before = resources.find((resource) => resource.kind === kind && resource.metadata.name === generator.name);
  if (generator.behavior === "merge") {
    if (!before) throw new Error(`${folder}: there is no ${kind} ${generator.name} to merge into`);
    before[field] = { ...(before[field] as object), ...data };
    return;
  }
  if (before) throw new Error(`${folder}: there is a ${kind} ${generator.name} already`);
  resources.push({ apiVersion: "v1", kind, metadata: { name: generator.name }, [field]: data, generated: true });
}

/** Secrets are no part of the project; what stands for them is. */
function exampleOr(path: string): string {
  const example = path.replace(/\.env$/, ".example.env");
  return existsSync(example) ? example : path;
}

function withHashes(resources: Resource[]): Resource[] {
  const generated = resources.filter((resource) => resource.generated === true);
  const renamed = new Map(generated.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.name + SUFFIX]));
  for (const resource of generated) {
    resource.metadata.name += SUFFIX;
    delete resource.generated;
  }
  for (const resource of resources) {
    for (const container of containersOf(resource)) {
      for (const { configMapRef, secretRef } of container.envFrom ?? []) {
        if (configMapRef) configMapRef.name = renamed.get(`ConfigMap/${configMapRef.name}`) ?? configMapRef.name;
        if (secretRef) secretRef.name = renamed.get(`Secret/${secretRef.name}`) ?? secretRef.name;
      }
      for (const { valueFrom } of container.env ?? []) {
        const ref = valueFrom?.secretKeyRef;
        if (ref) ref.name = renamed.get(`Secret/${ref.name}`) ?? ref.name;
      }
    }
  }
  return resources;
}

function applyPatch(resources: Resource[], patch: Resource, path: string): Resource[] {
  const isTarget = ({ apiVersion, kind, metadata }: Resource) =>
    apiVersion === patch.apiVersion && kind === patch.kind && metadata.name === patch.metadata.name;
  if (!resources.some(isTarget)) throw new Error(`${path}: there is no ${patch.kind} ${patch.metadata.name}`);
  if (patch.$patch === "delete") return resources.filter((resource) => !isTarget(resource));
  return resources.map((resource) => (isTarget(resource) ? (merge(resource, patch) as Resource) : resource));
}

/** A strategic merge: maps by key, lists of named things by their name, other lists whole; null takes away. */
function merge(before: unknown, patch: unknown): unknown {
  if (Array.isArray(patch)) {
    const named = (list: unknown): list is { name: string }[] =>
      Array.isArray(list) && list.length > 0 && list.every((item) => typeof item?.name === "string");
    if (!named(patch) || !named(before)) return patch;
    const kept = before.map((item) => {
      const change = patch.find(({ name }) => name === item.name);
      return change ? merge(item, change) : item;
    });
    return [...kept, ...patch.filter(({ name }) => !before.some((item) => item.name === name))];
  }
  if (!isMap(patch)) return patch;
  const merged: Record<string, unknown> = isMap(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Template {
  metadata?: { labels?: Record<string, string> };
  spec: PodSpec;
}

export interface PodSpec {
  containers: Container[];
  serviceAccountName?: string;
  terminationGracePeriodSeconds?: number;
  automountServiceAccountToken?: boolean;
  securityContext?: { runAsNonRoot?: boolean; seccompProfile?: { type: string } };
  volumes?: { name: string }[];
  nodeSelector?: Record<string, string>;
  tolerations?: { key: string }[];
}

export interface Container {
  name: string;
  image: string;
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  volumeMounts?: { name: string; mountPath: string }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    capabilities?: { drop?: string[] };
  };
  startupProbe?: object;
  readinessProbe?: object;
  livenessProbe?: object;
}

/** The pod's template of what makes pods. */
export function templateOf(resource: Resource): Template | undefined {
  return (resource.spec as { template?: Template } | undefined)?.template;
}

export function containersOf(resource: Resource): Container[] {
  return templateOf(resource)?.spec?.containers ?? [];
}
