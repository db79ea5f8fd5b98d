import type { Config } from "@scribe/config";
import { askEndpoint } from "./ask-endpoint.ts";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

const ABOUT = "language model";

/** Asks the chat endpoint which models it has: that costs nothing, and tells address, key and name. */
export async function examineLanguageModel({ enhancement, providers }: Config): Promise<Finding> {
  const { ENHANCED_AI_BASE_URL: baseUrl, ENHANCED_AI_MODEL: model, ENHANCED_AI_API_KEY: key } = enhancement;
  if (baseUrl === undefined && model === undefined) return ok(ABOUT, "none: enhancements are refused");
  if (baseUrl === undefined || model === undefined) {
    const missing = baseUrl === undefined ? "ENHANCED_AI_BASE_URL" : "ENHANCED_AI_MODEL";
    return wrong(ABOUT, `${missing} is not set, so enhancements are refused`, "set both, or none: docs/enhancement.md");
  }
  const url = new URL(`${baseUrl.replace(/\/+$/, "")}/models`);
  try {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
    const { status, body } = await askEndpoint(url, { headers, privateOnly: providers.LOCAL_ONLY });
    if (status === 401 || status === 403) return wrong(ABOUT, `${url.origin} refuses the key`, "ENHANCED_AI_API_KEY");
    const known = namesIn(body);
    if (status === 200 && known !== null && !known.includes(model)) {
      return wrong(
        ABOUT,
        `${url.origin} has no ${model}`,
        `ENHANCED_AI_MODEL, one of: ${known.slice(0, 5).join(", ")}`,
      );
    }
    if (status === 200 && known !== null) return ok(ABOUT, `${model} at ${url.origin}`);
    // Not every server has a list.
    return status < 500
      ? ok(ABOUT, `${url.origin} answers (${status}), without saying which models it has`)
      : warning(ABOUT, `${url.origin} answers ${status}`, "its own log");
  } catch (error) {
    const local = providers.LOCAL_ONLY ? "; LOCAL_ONLY allows addresses inside alone" : "";
    return wrong(ABOUT, `${url.origin}: ${wordsOf(error)}`, `curl ${url.href}   # from this machine${local}`);
  }
}

/** The ids of an answer to `GET /models`, or null where it is none. */
function namesIn(body: unknown): string[] | null {
  const { data } = (body ?? {}) as { data?: unknown };
  if (!Array.isArray(data)) return null;
  return data.map((entry: { id?: unknown } | null) => entry?.id).filter((id) => typeof id === "string");
}
