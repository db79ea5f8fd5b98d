import type { Door } from "../door.ts";

/** `{error}`; jobs that failed are no errors here: they answer 200 with their status. */
export const runpodDoor: Door = {
  name: "RunPod's serverless API",
  prefix: "/runpod/",
  renderError: ({ code, status, message }) => ({
    status: code === "unsupported_media" ? 400 : status,
    body: { error: message },
  }),
};
