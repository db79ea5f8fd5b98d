import { flag, setting, text, url } from "../setting.ts";

/** Named as the hub's own tools name them. */
export const hubSettings = {
  HF_ENDPOINT: setting(url("http:", "https:"), {
    fallback: "https://huggingface.co",
    description: "Where models are fetched from; a mirror that speaks as Hugging Face does",
  }),
  HF_TOKEN: setting(text, {
    secret: true,
    description: "For private and gated models; sent to HF_ENDPOINT's host alone",
  }),
  HF_HUB_OFFLINE: setting(flag, { fallback: "false", description: "Use models that are here, and fetch none" }),
  HF_HOME: setting(text, {
    description: "Where Hugging Face's own tools keep theirs, to be used too; absent: ~/.cache/huggingface",
  }),
} as const;
