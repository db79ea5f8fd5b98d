import { detailError } from "../detail-error.ts";
import type { Door } from "../door.ts";

export const saasDoor: Door = {
  name: "the SaaS backend",
  prefix: "/compat/saas/",
  anonymous: true,
  renderError: detailError,
};
