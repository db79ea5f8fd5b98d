import { detailError } from "../detail-error.ts";
import type { Door } from "../door.ts";

export const storageDoor: Door = {
  name: "the storage service",
  prefix: "/compat/storage/",
  keyInPath: true,
  anonymous: true,
  renderError: detailError,
};
