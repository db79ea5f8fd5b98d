import { Upload } from "tus-js-client";
import { expect, expectEqual } from "../expect.ts";
import { hourOfSpeech } from "../hour.ts";
import type { Row } from "../row.ts";
import { assertHeard, type Stage } from "../stage.ts";
import { completed } from "../wait-for-job.ts";

const row = (feature: string, run: Row["run"], more: Partial<Row> = {}): Row => ({
  ...{ client: "tus-js-client 4", feature, run },
  ...more,
});

type Options = ConstructorParameters<typeof Upload>[1];

const open = ({ url, key }: Stage, bytes: Uint8Array, more: Options = {}) =>
  new Upload(Buffer.from(bytes), {
    endpoint: `${url}/api/v1/files/tus`,
    headers: { Authorization: `Bearer ${key}` },
    metadata: { filename: "speech.wav", filetype: "audio/wav" },
    chunkSize: 128 * 1024,
    ...more,
  });

/** Begins or goes on, until all is there. */
function finish(upload: Upload): Promise<void> {
  return new Promise((resolve, reject) => {
    Object.assign(upload.options, { onSuccess: () => resolve(), onError: reject });
    upload.start();
  });
}

/** Begins, and pauses once a part of it is there. */
function pauseInTheMiddle(upload: Upload): Promise<void> {
  return new Promise((resolve, reject) => {
    Object.assign(upload.options, {
      onError: reject,
      onChunkComplete: (_size: number, accepted: number, total: number) => {
        if (accepted < total / 3) return;
        upload.options.onChunkComplete = null;
        upload.abort().then(resolve, reject);
      },
    });
    upload.start();
  });
}

const idOf = ({ url }: Upload) => url?.split("/").at(-1) ?? "";

async function transcribe(stage: Stage, upload: Upload): Promise<string> {
  const response = await stage.stack.call("/api/v1/transcribe", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ upload_id: idOf(upload) }),
  });
  expectEqual(response.status, 202, "a job of the upload");
  const { job_id } = (await response.json()) as { job_id: string };
  return await completed(stage, job_id);
}

export const tusRows: readonly Row[] = [
  row("an upload in parts is a job's source", async (stage) => {
    const upload = open(stage, stage.sample.bytes);
    await finish(upload);
    assertHeard(stage, await transcribe(stage, upload));
  }),
  row("pauses, the service restarts, it resumes", async (stage) => {
    const upload = open(stage, stage.sample.bytes);
    await pauseInTheMiddle(upload);
    await stage.stack.restart();
    const sent: number[] = [];
    // Another process of the caller's: it knows the address alone.
    const resumed = open(stage, stage.sample.bytes, {
      uploadUrl: upload.url,
      onChunkComplete: (_size, accepted) => sent.push(accepted),
    });
    await finish(resumed);
    expect((sent[0] ?? 0) > stage.sample.bytes.length / 3, "it went on where it was", sent[0]);
    assertHeard(stage, await transcribe(stage, resumed));
  }),
  row("abandons", async (stage) => {
    const upload = open(stage, stage.sample.bytes);
    await pauseInTheMiddle(upload);
    await Upload.terminate(upload.url ?? "", { headers: { Authorization: `Bearer ${stage.key}` } });
    const gone = await stage.stack.call(new URL(upload.url ?? "").pathname, {
      method: "HEAD",
      headers: { "tus-resumable": "1.0.0" },
    });
    expect(gone.status === 404 || gone.status === 410, "it is gone", gone.status);
  }),
  row("errors: a wrong key", async (stage) => {
    const upload = open({ ...stage, key: `sr_aaaaaaaa_${"b".repeat(40)}` }, stage.sample.bytes, { retryDelays: null });
    const error = await finish(upload).then(
      () => null,
      (thrown: { originalResponse?: { getStatus(): number } }) => thrown,
    );
    expectEqual(error?.originalResponse?.getStatus(), 401, "a wrong key");
  }),
  row(
    "an hour",
    async (stage) => {
      const upload = open(stage, hourOfSpeech(stage), {
        metadata: { filename: "hour.flac", filetype: "audio/flac" },
        chunkSize: 8 * 1024 * 1024,
      });
      await finish(upload);
      expect((await transcribe(stage, upload)).length > 20_000, "the text of an hour");
    },
    { hour: true },
  ),
];
