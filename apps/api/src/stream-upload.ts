import type { Readable } from "node:stream";
import { type FieldProblem, isUnsafeText, RequestError } from "@scribe/domain";
import busboy, { type Busboy } from "busboy";
import type { Request } from "express";
import { type UploadPace, watchUploadPace } from "./limits/watch-upload-pace.ts";
import { type MediaTarget, type StoredMedia, storeMedia } from "./store-media.ts";

/** No field is longer than a long prompt in UTF-8, or 16 KiB of metadata; all names of ours are short. */
const LIMITS = { fieldNameSize: 64, fieldSize: 64 * 1024, files: 1, headerPairs: 32 } as const;
/** What fields and boundaries may add to the file's size. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;
const NO_FIELDS: Fields = new Map();

type Fields = ReadonlyMap<string, string>;

export interface UploadTarget<T> extends MediaTarget {
  /** An upload whose sender is silent for this long is given up. */
  idleMs: number;
  pace: UploadPace;
  maxFields: number;
  /** Whether `name[]` may come again and again, as some services' clients send lists. */
  lists?: boolean;
  /**
   * What the fields ask for; of a list that came as `name[]`, its items as JSON. Called with those that came before the
   * file, before its first byte is stored, and where some came behind it, with all of them. What it throws ends the upload.
   */
  readFields: (fields: Fields) => Promise<T>;
}

export interface StoredUpload<T> extends StoredMedia {
  asked: T;
}

/**
 * Streams the form's part `file` to storage; memory does not grow with it. Whatever goes wrong, nothing stays at `key`:
 * the sender going away, a file too large or none at all, content that is no media, a form that is cut off.
 * The rest of a refused form is not read here.
 *
 * @throws RequestError, StorageError
 */
export async function streamUpload<T>(request: Request, target: UploadTarget<T>): Promise<StoredUpload<T>> {
  const length = Number(request.get("content-length") ?? 0);
  if (length > target.maxBytes + FORM_OVERHEAD_BYTES) throw tooLarge(target.maxBytes);
  if (request.destroyed) throw endedEarly();
  const form = openForm(request, target.maxFields);
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => undefined);
  const stop = new AbortController();
  const fail = (error: Error) => {
    stop.abort(error);
    failed.reject(error);
  };
  const fields = new Map<string, string>();
  const lists = new Map<string, string[]>();
  let stored: Promise<StoredUpload<T>> | undefined;
  let fieldsBehind = false;

  form.on("field", (name: string | undefined, value, info) => {
    fieldsBehind = stored !== undefined;
    const list = target.lists && name?.endsWith("[]") ? (lists.get(name) ?? []) : null;
    const problem = fieldProblem(name, value, info, list === null ? fields : NO_FIELDS);
    if (problem) fail(wrongField(problem));
    else if (fields.size === target.maxFields)
      fail(new RequestError("invalid_request", "The form has too many fields."));
    else if (list === null) fields.set(name as string, value);
    else {
      list.push(value);
      lists.set(name as string, list);
      fields.set(name as string, JSON.stringify(list));
    }
  });
  form.on("file", (name: string | undefined, file) => {
    // Destroying the form destroys the file, too, and its error is the form's.
    file.on("error", () => undefined);
    if (name === "file") stored = store(file, new Map(fields));
    else fail(wrongField({ path: name ?? "", message: "is not a known part; the file goes into `file`" }));
    stored?.catch(fail);
  });
  form.on("filesLimit", () => fail(wrongField({ path: "file", message: "is given twice" })));
  form.on("fieldsLimit", () => fail(new RequestError("invalid_request", "The form has too many fields.")));
  form.on("partsLimit", () => fail(new RequestError("invalid_request", "The form has too many parts.")));
  form.on("error", (cause) =>
    fail(
      new RequestError("invalid_request", "The form is not well-formed, or was cut off.", { cause: cause as Error }),
    ),
  );
  const read = new Promise<void>((resolve) => form.once("close", resolve));
  request.once("close", onGone);
  request.setTimeout(target.idleMs, onIdle);
  const stopWatching = watchUploadPace(request, target.pace, () =>
    fail(new RequestError("invalid_request", "The upload is too slow.", { status: 408 })),
  );

  async function store(file: Readable, before: Fields): Promise<StoredUpload<T>> {
    const asked = await target.readFields(before);
    stop.signal.throwIfAborted();
    return { asked, ...(await storeMedia(file, target, stop.signal)) };
  }
  function onGone() {
    if (!request.complete) fail(endedEarly());
  }
  function onIdle() {
    fail(new RequestError("invalid_request", "The upload stood still for too long.", { status: 408 }));
  }

  try {
    request.pipe(form);
    await Promise.race([read, failed.promise]);
    if (!stored) throw wrongField({ path: "file", message: "is needed" });
    const media = await Promise.race([stored, failed.promise]);
    return fieldsBehind ? { ...media, asked: await target.readFields(fields) } : media;
  } catch (error) {
    stop.abort(error);
    // First of all: a put that waits for the file's next bytes ends only when there are to be none.
    request.unpipe(form);
    form.destroy();
    // A put that had ended already is undone; one that was under way leaves nothing by itself.
    await stored?.then(() => target.storage.remove(target.key)).catch(() => undefined);
    throw error;
  } finally {
    stopWatching();
    request.off("close", onGone);
    request.setTimeout(0).off("timeout", onIdle);
  }
}

/** Also of one whose sender went away before anybody read it: then nothing of it ever comes, nor its end. */
function endedEarly(): RequestError {
  return new RequestError("invalid_request", "The upload ended early.");
}

function openForm(request: Request, maxFields: number): Busboy {
  if (!request.is("multipart/form-data")) {
    throw new RequestError("unsupported_media", "The body must be a form, with `Content-Type: multipart/form-data`.");
  }
  try {
    return busboy({
      headers: request.headers,
      limits: { ...LIMITS, fields: maxFields + 1, parts: maxFields + 2 },
      defParamCharset: "utf8",
    });
  } catch (cause) {
    throw new RequestError("invalid_request", "The form's `Content-Type` names no boundary.", { cause });
  }
}

function fieldProblem(
  name: string | undefined,
  value: string,
  info: { nameTruncated: boolean; valueTruncated: boolean },
  before: Fields,
): FieldProblem | null {
  if (name === undefined || name === "") return { path: "", message: "has no name" };
  if (isUnsafeText(name)) return { path: "", message: "has a name with NUL in it" };
  const path = name.slice(0, LIMITS.fieldNameSize);
  if (info.nameTruncated || name.length > LIMITS.fieldNameSize) return { path, message: "is not a known field" };
  if (name === "file") return { path, message: "must be a file, with a filename" };
  if (before.has(name)) return { path, message: "is given twice" };
  if (info.valueTruncated) return { path, message: "is too long" };
  if (isUnsafeText(value)) return { path, message: "must not contain NUL or lone surrogates" };
  return null;
}

function wrongField(problem: FieldProblem): RequestError {
  const detail = problem.path === "" ? `A field ${problem.message}.` : `\`${problem.path}\` ${problem.message}.`;
  return new RequestError("invalid_request", detail, { errors: [problem] });
}

function tooLarge(maxBytes: number): RequestError {
  return new RequestError("payload_too_large", `The file is larger than ${maxBytes} bytes.`);
}
