import { resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { startProcess } from "@scribe/testing";
import { routes } from "../src/http/routes.ts";
import { buildDocument } from "../src/openapi/build-document.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

type Json = Record<string, unknown>;
interface Operation {
  operationId: string;
  parameters: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, Json>;
  security: unknown[];
}

const document = buildDocument(routes, { version: "1.2.3" }) as {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json> };
};
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** Opened by the address itself, or by what the body holds. */
const SIGNED = new Set([
  ...["/api/v1/shared/transcript", "/api/v1/files/upload/{id}"],
  ...["register", "login", "refresh", "logout"].map((name) => `/api/v1/auth/${name}`),
]);

describe("the document", () => {
  test("knows every route once", () => {
    expect(operations).toHaveLength(routes.length);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(routes.length);
  });

  test("every reference leads somewhere", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, name]) => name);
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) {
      const name = reference.replace("#/components/schemas/", "");
      expect([name, name in document.components.schemas]).toEqual([name, true]);
    }
  });

  test("every variable of a path is declared, and every keyed route says so", () => {
    for (const { path, method, operation } of operations) {
      const variables = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(operation.parameters.filter((one) => one.in === "path").map(({ name }) => name)).toEqual(variables);
      if (path.startsWith("/api/") && method !== "options" && !SIGNED.has(path))
        expect(operation.security).toEqual([{ bearer: [] }, { apiKey: [] }]);
      expect(operation.responses).toHaveProperty("default");
    }
  });

  test("a request's fields are those that are checked, and no other is allowed", () => {
    const body = document.components.schemas.TranscribeRequest as { properties: Json; additionalProperties: boolean };
    expect(Object.keys(body.properties)).toEqual(
      expect.arrayContaining(["url", "upload_id", "language", "temperature", "webhook_url", "metadata"]),
    );
    expect(body.additionalProperties).toBe(false);
    const form = document.components.schemas.TranscribeUpload as { properties: Json };
    expect(form.properties).toHaveProperty("file");
    expect(form.properties).not.toHaveProperty("url");
  });
});

test("the printer writes the document alone to standard output", async () => {
  const printer = startProcess(resolve(import.meta.dirname, "../src/print-openapi.ts"));
  expect((await printer.exit).code).toBe(0);
  expect(Object.keys((JSON.parse(printer.stdout()) as { paths: Json }).paths)).toEqual(Object.keys(document.paths));
});

describe("over HTTP", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi({ PUBLIC_URL: "https://scribe.example" });
  }, 60_000);
  afterAll(() => api.stop());

  test("the document is served to everybody, with the public address", async () => {
    const response = await api.call("/openapi.json", { key: null });
    expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await response.json()).toMatchObject({ openapi: "3.1.0", servers: [{ url: "https://scribe.example" }] });
  });

  test("the page loads nothing from another host", async () => {
    const page = await api.call("/docs", { key: null });
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(page.headers.get("content-security-policy")).not.toMatch(/https?:/);
    const html = await page.text();
    expect(html).not.toMatch(/(?:src|href|url)\s*=\s*"(?:https?:)?\/\//);
    const [, source] = /<script src="([^"]+)"/.exec(html) ?? [];
    const script = await api.call(`/${source}`, { key: null });
    expect([script.status, script.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
    const text = await script.text();
    expect(text.length).toBeGreaterThan(500_000);
    expect(text).not.toMatch(/(?:cdn\.|fonts\.g)[a-z.]+\//);
  });
});
