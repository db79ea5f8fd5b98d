import { loadAwsServiceSpecSync } from "@aws-cdk/aws-service-spec";
import { parseDocument, type ScalarTag } from "yaml";

/** A value as the template has it; an intrinsic function is an object with its one long name. */
type Value = unknown;

interface Template {
  Parameters: Record<string, { Type: string }>;
  Conditions?: Record<string, Value>;
  Resources: Record<string, { Type: string; Properties?: Record<string, Value>; DependsOn?: string | string[] }>;
  Outputs: Record<string, { Value: Value }>;
}

const SHORT = ["Ref", "Sub", "GetAtt", "Join", "Select", "If", "Not", "Equals", "Base64"];

/** Reads a template with its short forms (`!Ref x` as `{Ref: x}`). Aliases, which CloudFormation does not know, are errors. */
export function readTemplate(text: string): Template {
  const customTags = SHORT.flatMap((name) =>
    [undefined, "seq" as const, "map" as const].map((collection) => ({
      tag: `!${name}`,
      ...(collection && { collection }),
      resolve: (value: string | { toJSON(): unknown }) => ({
        [longName(name)]: typeof value === "string" ? value : value.toJSON(),
      }),
    })),
  ) as unknown as ScalarTag[];
  const document = parseDocument(text, { customTags });
  if (document.errors.length > 0) throw document.errors[0];
  if (/^[^#]*[:-] [&*][a-z]+\s*$/m.test(text)) throw new Error("CloudFormation knows no anchors and aliases");
  return document.toJS({ maxAliasCount: 0 }) as Template;
}

function longName(name: string): string {
  return name === "Ref" ? name : `Fn::${name}`;
}

const db = loadAwsServiceSpecSync();
/** Of the specification's types, what is looked at. */
type SpecType =
  | { type: "string" | "integer" | "number" | "boolean" | "json" | "date-time" | "null" | "tag" }
  | { type: "array" | "map"; element: SpecType }
  | { type: "union"; types: SpecType[] }
  | { type: "ref"; reference: { $ref: string } };
type SpecProperties = Record<string, { type: SpecType; required?: boolean }>;

/**
 * What AWS's own specification of resources objects to: unknown types and properties, wrong kinds of values, missing
 * ones, references to what is not there, parameters that nothing uses.
 */
export function checkTemplate(template: Template): string[] {
  const problems: string[] = [];
  const used = new Set<string>();
  const { Parameters, Conditions = {}, Resources } = template;
  const usedConditions = new Set<unknown>();

  const resourceSpec = (type: string) => db.lookup("resource", "cloudFormationType", "equals", type)[0];

  function checkName(name: string, at: string): void {
    used.add(name);
    if (!name.startsWith("AWS::") && !(name in Parameters) && !(name in Resources)) {
      problems.push(`${at}: ${name} is no parameter and no resource`);
    }
  }

  function checkAttribute(name: string, attribute: string, at: string): void {
    checkName(name, at);
    const type = Resources[name]?.Type;
    const spec = type === undefined ? undefined : resourceSpec(type);
    if (spec && !(attribute in spec.attributes)) problems.push(`${at}: ${name} has no attribute ${attribute}`);
  }

  function checkReferences(value: Value, at: string): void {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) checkReferences(item, `${at}[${index}]`);
      return;
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "Ref") checkName(inner as string, at);
      else if (key === "Fn::GetAtt") {
        const [name = "", ...rest] = Array.isArray(inner) ? (inner as string[]) : (inner as string).split(".");
        checkAttribute(name, rest.join("."), at);
      } else if (key === "Fn::Sub") {
        for (const [, name = ""] of (inner as string).matchAll(/\$\{([^!}][^}]*)\}/g)) {
          const [resource = "", ...rest] = name.split(".");
          if (rest.length > 0) checkAttribute(resource, rest.join("."), at);
          else checkName(name, at);
        }
      } else {
        if (key === "Fn::If") checkCondition((inner as Value[])[0], at);
        checkReferences(inner, `${at}.${key}`);
      }
    }
  }

  function checkCondition(name: Value, at: string): void {
    usedConditions.add(name);
    if (typeof name !== "string" || !(name in Conditions))
      problems.push(`${at}: ${JSON.stringify(name)} is no condition`);
  }

  function fits(value: Value, type: SpecType, at: string, found: string[]): void {
    if (isMap(value) && Array.isArray(value["Fn::If"])) {
      for (const branch of value["Fn::If"].slice(1)) fits(branch, type, at, found);
      return;
    }
    if (isIntrinsic(value)) return;
    switch (type.type) {
      case "string":
      case "date-time":
        if (typeof value !== "string") found.push(`${at}: ${JSON.stringify(value)} is no text`);
        return;
      case "integer":
      case "number":
        if (typeof value !== "number") found.push(`${at}: ${JSON.stringify(value)} is no number`);
        return;
      case "boolean":
        if (typeof value !== "boolean") found.push(`${at}: ${JSON.stringify(value)} is neither true nor false`);
        return;
      case "array":
        if (!Array.isArray(value)) found.push(`${at} is no list`);
        else for (const [index, item] of value.entries()) fits(item, type.element, `${at}[${index}]`, found);
        return;
      case "map":
        if (!isMap(value)) found.push(`${at} is no map`);
        else for (const [key, item] of Object.entries(value)) fits(item, type.element, `${at}.${key}`, found);
        return;
      case "union": {
        const attempts = type.types.map((one) => {
          const own: string[] = [];
          fits(value, one, at, own);
          return own;
        });
        if (!attempts.some((own) => own.length === 0)) found.push(...attempts[0]!);
        return;
      }
      case "ref": {
        const definition = db.get("typeDefinition", type.reference.$ref);
        if (!isMap(value)) found.push(`${at} is no map`);
        else checkProperties(value, definition.properties as SpecProperties, at, found);
        return;
      }
      default:
        return;
    }
  }

  function checkProperties(values: Record<string, Value>, properties: SpecProperties, at: string, found: string[]) {
    for (const [name, value] of Object.entries(values)) {
      const property = properties[name];
      if (!property) found.push(`${at}.${name} is not known`);
      else fits(value, property.type, `${at}.${name}`, found);
    }
    for (const [name, { required }] of Object.entries(properties)) {
      if (required && !(name in values)) found.push(`${at}.${name} is missing`);
    }
  }

  for (const [name, { Type, Properties = {}, DependsOn = [] }] of Object.entries(Resources)) {
    const spec = resourceSpec(Type);
    if (!spec) {
      problems.push(`${name}: ${Type} is not known`);
      continue;
    }
    checkProperties(Properties, spec.properties as SpecProperties, name, problems);
    checkReferences(Properties, name);
    for (const other of [DependsOn].flat())
      if (!(other in Resources)) problems.push(`${name} waits for ${other}, which is not there`);
  }
  checkReferences(template.Outputs, "Outputs");
  checkReferences(Conditions, "Conditions");
  for (const name of Object.keys(Conditions)) {
    if (!usedConditions.has(name)) problems.push(`the condition ${name} is not used`);
  }
  for (const name of Object.keys(Parameters)) if (!used.has(name)) problems.push(`the parameter ${name} is not used`);
  return problems;
}

function isMap(value: Value): value is Record<string, Value> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isIntrinsic(value: Value): boolean {
  if (!isMap(value)) return false;
  const [key = "", ...more] = Object.keys(value);
  return more.length === 0 && (key === "Ref" || key.startsWith("Fn::"));
}
