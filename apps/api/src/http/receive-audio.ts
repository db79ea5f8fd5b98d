import { RequestError, uuidV7 } from "@scribe/domain";
import type { Request } from "express";
import type { Api } from "../api.ts";
import { type MediaTarget, type StoredMedia, storeMedia } from "../store-media.ts";
import { type StoredUpload, streamUpload, type UploadTarget } from "../stream-upload.ts";
import { type SenderLimits, whileSending } from "../while-sending.ts";
import type { Caller } from "./middleware/authenticate.ts";

/** Audio that was sent along, in the store under a key that no client ever had. */
export interface ReceivedAudio extends StoredMedia {
  /** Of the job that is to be made of it. */
  id: string;
  key: string;
}

export interface AudioForm<T> extends Pick<UploadTarget<T>, "readFields"> {
  /** Of a front door: a list may come as `name[]`, and text for audio where the operator rehearses. */
  foreign: boolean;
}

type Target = MediaTarget & SenderLimits & { id: string };

/**
 * A form with the part `file`, whose fields may stand before or behind it: `readFields` says what they ask for, and
 * refuses what is wrong.
 *
 * @throws RequestError, StorageError
 */
export async function receiveForm<T>(
  api: Api,
  caller: Caller,
  request: Request,
  { readFields, foreign }: AudioForm<T>,
): Promise<ReceivedAudio & Pick<StoredUpload<T>, "asked">> {
  return await withSlot(api, caller, async (target) => {
    const stored = await streamUpload(request, {
      ...target,
      acceptText: foreign && target.acceptText === true,
      maxFields: api.config.limits.MAX_FORM_FIELDS,
      lists: foreign,
      readFields,
    });
    return { ...stored, id: target.id, key: target.key };
  });
}

/** Who sends: whose audio it becomes, and by what uploads at once are counted. */
type Sender = Pick<Caller, "tenantId" | "keyId">;

/** A body that is the audio itself, with or without a length. */
export async function receiveBytes(api: Api, caller: Sender, request: Request): Promise<ReceivedAudio> {
  const { MAX_UPLOAD_BYTES: maxBytes } = api.config.http;
  if (Number(request.get("content-length") ?? 0) > maxBytes) {
    throw new RequestError("payload_too_large", `The file is larger than ${maxBytes} bytes.`);
  }
  return await withSlot(api, caller, async (target) => {
    const body = request.iterator({ destroyOnReturn: false });
    const stored = await whileSending(request, target, (signal) => storeMedia(body, target, signal));
    return { ...stored, id: target.id, key: target.key };
  });
}

/** Audio that came as part of something else, and is in memory already. */
export async function storeGiven(api: Api, caller: Caller, bytes: Buffer): Promise<ReceivedAudio> {
  const { id, ...target } = targetFor(api, caller);
  const stored = await storeMedia(once(bytes), target, AbortSignal.timeout(api.waits.bodyMs));
  return { ...stored, id, key: target.key };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/** The place is given back when the bytes are there: the answer may take as long as the transcript does. */
async function withSlot<T>(api: Api, caller: Sender, receive: (target: Target) => Promise<T>): Promise<T> {
  const release = api.uploadSlots.take(caller.keyId);
  const { waits, config } = api;
  const pace = { minBytesPerSecond: config.limits.UPLOAD_MIN_BYTES_PER_SECOND, windowMs: waits.uploadPaceMs };
  try {
    return await receive({ ...targetFor(api, caller), idleMs: waits.uploadIdleMs, pace });
  } finally {
    release();
  }
}

function targetFor({ storage, config }: Api, { tenantId }: Sender): MediaTarget & { id: string } {
  const id = uuidV7();
  const { MAX_UPLOAD_BYTES: maxBytes } = config.http;
  return {
    ...{ id, storage, key: `audio/${tenantId}/${id}/source`, maxBytes },
    acceptText: config.compat.SCRIBE_ENABLE_STUB,
  };
}
