import { expect } from "@jest/globals";
import { makeWav } from "@scribe/testing";
import { finish, segment } from "../drive-jobs.ts";
import { ADMIN_KEY, type TestApi } from "../start-test-api.ts";

interface Request {
  method: string;
  path: string;
  headers?: Record<string, string>;
  /** The name of what was seen before, or of a key. */
  bearer?: string;
  json?: object;
  form?: Record<string, string>;
  bytes?: string;
}

export interface Exchange {
  name: string;
  request: Request;
  answer: { status: number; body?: unknown; text?: string };
}

/** What a service and its callers said to each other; ids, times and the like stand as kinds: `<uuid job>`. */
export interface Recording {
  service: string;
  source: string;
  profile?: string;
  exchanges: (Exchange | { worker: "completes"; job: string })[];
}

const KINDS: Record<string, (value: unknown) => boolean> = {
  uuid: (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(String(value)),
  uuid4: (value) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(String(value)),
  time: (value) => typeof value === "string" && !Number.isNaN(Date.parse(value)),
  number: (value) => typeof value === "number" && value >= 0,
  text: (value) => typeof value === "string" && value !== "",
  any: () => true,
};

/** Says what callers of a service said, in order, and holds each answer against the recorded one. */
export function replay(api: TestApi, key: string) {
  const seen = new Map<string, string>([
    ["key", key],
    ["admin", ADMIN_KEY],
  ]);
  const fill = (text: string) => text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => seen.get(name) ?? whole);

  /** The recorded value with each kind replaced by what came, where that is of the kind. */
  function settle(wanted: unknown, came: unknown): unknown {
    if (Array.isArray(wanted)) return wanted.map((item, at) => settle(item, (came as unknown[])?.[at]));
    if (wanted !== null && typeof wanted === "object") {
      const values = came as Record<string, unknown> | undefined;
      return Object.fromEntries(Object.entries(wanted).map(([name, item]) => [name, settle(item, values?.[name])]));
    }
    const [, kind, name] = /^<(\w+)(?: (\w+))?>$/.exec(String(wanted)) ?? [];
    if (kind === undefined) return wanted;
    if (kind === "same") return seen.get(name ?? "");
    if (name !== undefined) seen.set(name, String(came));
    return KINDS[kind]?.(came) ? came : wanted;
  }

  async function ask({ method, path, headers = {}, bearer, json, form, bytes }: Request): Promise<Response> {
    const where = fill(path).replace(api.url, "");
    const shown = bearer === undefined ? null : (seen.get(bearer) ?? null);
    const body = form !== undefined ? formOf(form) : bytes !== undefined ? makeWav({ seconds: 0.4 }) : undefined;
    return await api.call(where, {
      ...{ method, headers, key: shown },
      ...(json === undefined ? {} : { json: JSON.parse(fill(JSON.stringify(json))) }),
      ...(body === undefined ? {} : { body: body }),
    });
  }

  async function complete(name: string): Promise<void> {
    const { rows } = await api.db.pool.query("SELECT id FROM jobs WHERE id::text = $1 OR recording_id = $1", [
      seen.get(name),
    ]);
    await finish(api.db, rows[0].id, [
      segment(0, "Good morning.", { speaker: "SPEAKER_00" }),
      segment(1, "Bye.", { speaker: "SPEAKER_01" }),
    ]);
  }

  return async (step: Recording["exchanges"][number]): Promise<void> => {
    if ("worker" in step) return await complete(step.job);
    const response = await ask(step.request);
    const text = await response.text();
    const { status, body, text: wantedText } = step.answer;
    expect([response.status, response.status === status ? "" : text]).toEqual([status, ""]);
    if (wantedText !== undefined) expect(text).toBe(wantedText);
    if (body === undefined) return;
    const came: unknown = JSON.parse(text);
    expect(came).toEqual(settle(body, came));
  };
}

function formOf(fields: Record<string, string>): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value === "<audio>") form.append(name, new Blob([makeWav({ seconds: 0.3 }) as never]), "speech.wav");
    else form.append(name, value);
  }
  return form;
}
