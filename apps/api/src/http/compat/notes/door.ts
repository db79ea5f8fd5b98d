import { detailError } from "../detail-error.ts";
import type { Door } from "../door.ts";

export const notesDoor: Door = {
  name: "the audio-to-notes service",
  prefix: "/compat/notes/",
  keyInPath: true,
  anonymous: true,
  renderError: detailError,
};
