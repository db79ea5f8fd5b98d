import { makeWav } from "@scribe/testing";
import type { TestApi } from "../start-test-api.ts";

export type Sound = Uint8Array<ArrayBuffer> | string;
export type Answer = Record<string, unknown>;

export const soundOf = (seconds: number) => makeWav({ seconds }) as Uint8Array<ArrayBuffer>;

let counter = 0;

/** No two of the same bytes, where a test gives none. */
export function form(
  fields: Record<string, string> = {},
  file: Sound | null = soundOf(0.2 + counter++ / 1000),
): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  if (file !== null) data.append("file", new Blob([file]), "speech.wav");
  return data;
}

/** Calls a door with the key in the path alone, as these services' clients have it. */
export async function callAt(
  api: TestApi,
  { door, path, key = api.key, ...init }: RequestInit & { door: string; path: string; key?: string },
): Promise<[number, Answer]> {
  const response = await api.call(`/compat/${door}/${key}${path}`, { ...init, key: null });
  return [response.status, (await response.json()) as Answer];
}

/** A job of the notes service. */
export async function postNote(api: TestApi, body = form(), headers = {}): Promise<[number, Answer]> {
  return await callAt(api, { door: "notes", path: "/jobs", method: "POST", body, headers });
}
