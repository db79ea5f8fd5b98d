/** A model on the hub, and which state of it. */
export type ModelId = {
  /** `owner/name`. */
  repo: string;
  /** A branch, a tag or a commit. */
  revision: string;
};

const PART = "[A-Za-z0-9][A-Za-z0-9._-]{0,95}";
const ID = new RegExp(`^(${PART}/${PART})(?:@(${PART}(?:/${PART})*))?$`);

/** Reads `owner/name` or `owner/name@revision`; null where the text is a folder or a bundled name. */
export function parseModelId(text: string): ModelId | null {
  const [, repo, revision = "main"] = ID.exec(text) ?? [];
  if (repo === undefined || repo.includes("..") || repo.includes("--") || revision.includes("..")) return null;
  return { repo, revision };
}

/** What callers know a model by: the last part of its folder or id, without the revision. */
export function modelName(nameFolderOrId: string): string {
  const repo = parseModelId(nameFolderOrId)?.repo ?? nameFolderOrId;
  return repo.split(/[/\\]/).filter(Boolean).at(-1) ?? repo;
}
