import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { checkTemplate, readTemplate } from "./check-cloudformation.ts";
import { SECRET_NAMES, SETTING_NAMES } from "./setting-names.ts";

const text = readFileSync(resolve(import.meta.dirname, "../../deploy/ecs/scribe.yaml"), "utf8");
const template = readTemplate(text);

interface Secret {
  Name: string;
}

interface TaskContainer {
  Name: string;
  StopTimeout: number;
  ReadonlyRootFilesystem: boolean;
  Environment: { Name: string; Value: unknown }[];
  /** One that is there on a condition stands in an `Fn::If`. */
  Secrets: (Secret | { "Fn::If": [condition: string, secret: Secret, otherwise: object] })[];
  ResourceRequirements?: object[];
}

const tasks = Object.entries(template.Resources)
  .filter(([, { Type }]) => Type === "AWS::ECS::TaskDefinition")
  .flatMap(([name, { Properties }]) =>
    (Properties!.ContainerDefinitions as TaskContainer[]).map((container): [string, TaskContainer] => [
      name,
      container,
    ]),
  );

const secretsOf = ({ Secrets }: TaskContainer) =>
  Secrets.map((secret) => ("Fn::If" in secret ? secret["Fn::If"][1].Name : secret.Name));
const environmentOf = ({ Environment }: TaskContainer) => Environment.map(({ Name }) => Name);

test("the template is what AWS's specification of resources allows", () => {
  expect(checkTemplate(template)).toEqual([]);
  expect(Object.keys(template.Resources).length).toBeGreaterThan(40);
});

describe("the check finds", () => {
  const checked = (change: (text: string) => string) => checkTemplate(readTemplate(change(text)));

  test.each([
    ["a property that there is not", "DesiredCount: 0", "DesiredCont: 0", "GpuService.DesiredCont is not known"],
    ["a property deep inside", "HttpTokens: required", "HttpToken: required", "HttpToken is not known"],
    ["a type that there is not", "AWS::ECS::Cluster\n", "AWS::ECS::Clutter\n", "AWS::ECS::Clutter is not known"],
    ["a word where a number must be", "RetentionInDays: 30", "RetentionInDays: month", '"month" is no number'],
    ["a reference to nothing", "!Ref GpuAmi", "!Ref GpuAmy", "GpuAmy is no parameter"],
    ["an attribute that there is not", "Audio.Arn}", "Audio.Name}", "Audio has no attribute Name"],
    ["a parameter that nothing uses", "!Ref TargetWaitSeconds", "300", "TargetWaitSeconds is not used"],
    ["a condition that there is not", "!If [HasOpenaiKey", "!If [HasOpenKey", '"HasOpenKey" is no condition'],
    ["a condition that nothing uses", "HasOpenaiKey, ", "HasAssemblyaiKey, ", "the condition HasOpenaiKey is not used"],
    ["a property behind a condition", "{ Name: OPENAI_API_KEY,", "{ Nam: OPENAI_API_KEY,", "Nam is not known"],
    ["what is missing", "ReplicationGroupDescription: Scribe", "Port: 6379", "ReplicationGroupDescription is missing"],
  ])("%s", (_, from, to, problem) => {
    expect(checked((before) => before.replaceAll(from, to)).join("\n")).toContain(problem);
  });

  test("aliases, which CloudFormation does not know", () => {
    expect(() => readTemplate("a: &x\n  b: 1\nc: *x\n")).toThrow();
  });
});

describe.each(tasks)("the task %s", (_, container) => {
  test("gets variables that are settings, and its secrets from outside", () => {
    const names = [...environmentOf(container), ...secretsOf(container)];
    expect(names.filter((name) => !SETTING_NAMES.has(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    for (const name of environmentOf(container)) expect(SECRET_NAMES).not.toContain(name);
    for (const name of secretsOf(container)) expect(SECRET_NAMES).toContain(name);
    const plain = container.Environment.filter(({ Value }) => typeof Value === "string");
    const env = Object.fromEntries(plain.map(({ Name, Value }) => [Name, Value as string]));
    expect(readConfig({ ...env, S3_BUCKET: "named-by-the-stack" }).warnings).toEqual([]);
  });

  test("has time to hand back, and no root to write to", () => {
    const grace = Number(container.Environment.find(({ Name }) => Name === "SHUTDOWN_GRACE_SECONDS")?.Value);
    expect(container.StopTimeout).toBeGreaterThanOrEqual(grace + 15);
    expect(container.StopTimeout).toBeLessThanOrEqual(120);
    expect(container.ReadonlyRootFilesystem).toBe(true);
  });
});

test("workers on GPUs have all of ECS's two minutes", () => {
  const gpu = tasks.find(([, { ResourceRequirements }]) => ResourceRequirements !== undefined)![1];
  expect(gpu.StopTimeout).toBe(120);
});

test("each task gets the secrets that it has a use for", () => {
  const shared = ["DATABASE_URL", "REDIS_URL", "SCRIBE_ENCRYPTION_KEY"];
  const providers = ["OPENAI_API_KEY", "ASSEMBLYAI_API_KEY"];
  expect(Object.fromEntries(tasks.map(([name, container]) => [name, secretsOf(container)]))).toEqual({
    ApiTask: [...shared, "SCRIBE_ADMIN_KEY", "JWT_SECRET", ...providers],
    BackgroundTask: [...shared, "ENHANCED_AI_API_KEY"],
    GpuTask: [...shared, ...providers],
  });
});

test("the API offers what the workers can do", () => {
  const [api, background] = ["ApiTask", "BackgroundTask"].map((name) => tasks.find(([task]) => task === name)![1]);
  const chat = ["ENHANCED_AI_BASE_URL", "ENHANCED_AI_MODEL", "LOCAL_ONLY"];
  for (const name of chat) {
    const valueIn = ({ Environment }: TaskContainer) => Environment.find(({ Name }) => Name === name);
    expect(valueIn(api!)).toEqual({ Name: name, Value: { Ref: expect.any(String) } });
    expect(valueIn(background!)).toEqual(valueIn(api!));
  }
  const roles = tasks.flatMap(([, { Environment }]) =>
    Environment.filter(({ Name }) => Name === "WORKER_ROLES").flatMap(({ Value }) => (Value as string).split(",")),
  );
  expect(roles.sort()).toEqual(["enhancement", "maintenance", "transcription", "webhooks"]);
});

test("workers are replaced when the API has migrated the database", () => {
  for (const service of ["BackgroundService", "GpuService"]) {
    expect([service, template.Resources[service]!.DependsOn]).toEqual([
      service,
      expect.arrayContaining(["ApiService"]),
    ]);
  }
});

test("no policy allows everything, and only workers change their protection", () => {
  const policies = JSON.stringify(Object.values(template.Resources).filter(({ Type }) => Type === "AWS::IAM::Role"));
  expect(policies).not.toMatch(/"Action":"\*"|"Resource":"\*"|"s3:\*"/);
  expect(JSON.stringify(template.Resources.ApiRole)).not.toContain("TaskProtection");
});
