import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { makeWav, tone } from "@scribe/testing";
import type { TestApi } from "./start-test-api.ts";

export interface Part {
  name: string;
  value: string | Uint8Array;
  filename?: string;
}

const BOUNDARY = "----scribe-test-boundary";
const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** A form, byte by byte as given: what no client would send can be said, too. */
export function formBody(parts: readonly Part[], { closed = true } = {}): Buffer<ArrayBuffer> {
  const chunks = parts.flatMap(({ name, value, filename }) => {
    const file = filename === undefined ? "" : `; filename="${filename}"\r\nContent-Type: application/octet-stream`;
    const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n\r\n`;
    return [Buffer.from(head), Buffer.from(value as Uint8Array), Buffer.from("\r\n")];
  });
  return Buffer.concat([...chunks, Buffer.from(closed ? `--${BOUNDARY}--\r\n` : "")]);
}

export const wav = makeWav({ seconds: 1, signal: tone(440) });
export const wavPart: Part = { name: "file", value: wav, filename: "speech.wav" };

const UPLOAD = "/api/v1/transcribe/upload";

export async function postForm(
  api: TestApi,
  parts: readonly Part[],
  { headers, closed, key }: { headers?: Record<string, string>; closed?: boolean; key?: string } = {},
): Promise<Response> {
  const body = formBody(parts, closed === undefined ? {} : { closed });
  return await api.call(UPLOAD, { method: "POST", body, headers: { "Content-Type": FORM_TYPE, ...headers }, key });
}

/** An upload whose bytes the test writes as it likes; `answer` resolves with status and body. */
export function beginUpload(api: Pick<TestApi, "url" | "key">, headers: Record<string, string | number> = {}) {
  const sending: ClientRequest = request(api.url + UPLOAD, {
    method: "POST",
    headers: { Authorization: `Bearer ${api.key}`, "Content-Type": FORM_TYPE, ...headers },
  });
  const answer = new Promise<{ status: number; body: string }>((resolve, reject) => {
    sending.once("error", reject);
    sending.once("response", (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        body += chunk;
      });
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.once("error", reject);
    });
  });
  answer.catch(() => undefined);
  sending.flushHeaders();
  return { sending, answer };
}
