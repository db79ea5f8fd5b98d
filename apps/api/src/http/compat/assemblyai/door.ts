import type { Door } from "../door.ts";

/** `{error}`; of it only that text is read. */
export const assemblyaiDoor: Door = {
  name: "AssemblyAI's API",
  prefix: "/assemblyai/",
  renderError: ({ code, status, message }) => ({
    status: code === "unsupported_media" ? 400 : status,
    body: { error: message },
  }),
};
