import { z } from "zod";
import { askHub, withRetries } from "./ask-hub.ts";
import type { Hub } from "./hub.ts";
import { HubError } from "./hub-error.ts";
import type { ModelId } from "./model-id.ts";

export type HubFile = {
  name: string;
  bytes: number;
  /** Large files by SHA-256, all others as git names them: SHA-1 of `blob <bytes>\0` and the content. */
  hash: { kind: "sha256" | "git-sha1"; hex: string };
};

const answerSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(
    z.object({
      rfilename: z.string(),
      size: z.int().min(0).optional(),
      blobId: z
        .string()
        .regex(/^[0-9a-f]{40}$/)
        .optional(),
      lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }).nullish(),
    }),
  ),
});

/** The commit that a revision stands for now, and its files with their sizes and hashes. */
export async function listHubFiles(
  hub: Hub,
  { repo, revision }: ModelId,
  signal?: AbortSignal,
): Promise<{ commit: string; files: HubFile[] }> {
  const path = `/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const text = await withRetries(hub, signal, async () => await (await askHub(hub, path, { signal })).text());
  const { sha, siblings } = parse(text);
  const files = siblings.flatMap(({ rfilename: name, size, blobId, lfs }): HubFile[] => {
    if (lfs) return [{ name, bytes: lfs.size, hash: { kind: "sha256", hex: lfs.sha256 } }];
    if (size === undefined || blobId === undefined) return [];
    return [{ name, bytes: size, hash: { kind: "git-sha1", hex: blobId } }];
  });
  return { commit: sha, files };
}

function parse(text: string) {
  try {
    return answerSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new HubError("damaged", "the hub's answer is not what a hub answers", error);
  }
}
