import type { Random } from "../random.ts";
import { ALLOWED_ADDRESS } from "../stage/open-stage.ts";

const PROBLEM_AT_A_DOOR = "is a problem of ours at another service's front door";

interface Door {
  prefix: string;
  isError: (body: Record<string, unknown>) => boolean;
}

const text = (value: unknown) => typeof value === "string" && value !== "";

/** How other services tell an error; a door that is not here answers JSON at least. */
const DOORS: readonly Door[] = [
  {
    prefix: "/v1/",
    isError: ({ error }) => {
      const { message, type, ...rest } = (error ?? {}) as Record<string, unknown>;
      return text(message) && text(type) && "param" in rest && "code" in rest;
    },
  },
  {
    prefix: "/deepgram/",
    isError: ({ err_code, err_msg, request_id }) => text(err_code) && text(err_msg) && text(request_id),
  },
  { prefix: "/assemblyai/", isError: ({ error }) => text(error) },
  { prefix: "/runpod/", isError: ({ error }) => text(error) },
  { prefix: "/compat/", isError: () => true },
];

/** Says what is wrong with a refusal at a front door, by the service whose door it is; null elsewhere, and where it is right. */
export function wrongAtDoor(
  path: string,
  { status, type, text: body }: { status: number; type: string; text: string },
) {
  const door = DOORS.find(({ prefix }) => path.startsWith(prefix));
  // Headers that are too large are refused before there is a path.
  if (door === undefined || status < 400 || status === 431 || body === "") return null;
  if (type.startsWith("application/problem+json")) return PROBLEM_AT_A_DOOR;
  try {
    return door.isError(JSON.parse(body) as Record<string, unknown>) ? null : "is no error as that service tells it";
  } catch {
    return "is no JSON";
  }
}

const url = `http://${ALLOWED_ADDRESS}:9/none`;
const flag = { type: "boolean" };
const anyText = { type: "string" };
const address = { enum: [url, "http://127.0.0.1/", "file:///etc/passwd", "http://[::1]:1/"] };

/** Bodies of routes that read them by their content rather than by a schema of the document. */
export const DOOR_BODIES: Readonly<Record<string, Record<string, unknown>>> = {
  deepgramListen: { type: "object", properties: { url: address }, required: ["url"] },
  ...Object.fromEntries(
    ["runpodRun", "runpodRunSync"].map((operation) => [
      operation,
      {
        type: "object",
        required: ["input"],
        properties: {
          input: {
            type: "object",
            properties: {
              ...{ url: address, blob: anyText, type: anyText, model: anyText, language: anyText, streaming: flag },
              ...{ webhook_url: address, recording_id: anyText, diarize: flag },
              transcribe_args: { type: "object", properties: { url: address, blob: anyText, diarize: flag } },
            },
          },
          webhook: address,
          policy: { type: "object", properties: { lowPriority: flag, ttl: { type: "number" } } },
        },
      },
    ]),
  ),
};

/** What such routes look for in a query that the document leaves open. */
const DOOR_QUERY = {
  deepgramListen: ["callback", "model", "language", "detect_language", "keywords", "keyterm", "extra", "diarize"],
  runpodRunSync: ["wait"],
  runpodStatusSync: ["wait"],
} as Readonly<Record<string, readonly string[]>>;

export function doorQuery(operationId: string, random: Random): string[] {
  return (DOOR_QUERY[operationId] ?? []).filter((name) => name === "wait" || random.chance(0.3));
}
