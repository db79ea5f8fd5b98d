/** Where models come from and where they lie. */
export type Hub = {
  /** `https://huggingface.co`, or a mirror that speaks as it does. */
  endpoint: string;
  /** Sent to the endpoint's own host, and to no other. */
  token?: string | undefined;
  /** A folder in the layout of the hub's own cache; made where it is missing. */
  cacheFolder: string;
  /** Caches of others in the same layout, which are read and never written. */
  alsoLookIn?: readonly string[];
  /** Nothing is asked over the network. */
  offline?: boolean;
  /** Longest wait for an answer, or for its next byte. Default 30 s. */
  silenceMs?: number;
  /** Failures in a row, without a byte gained, before a download is given up. Default 6. */
  tries?: number;
};

export type HubProgress = {
  /** File that is being fetched. */
  file: string;
  /** Of all files of the model, with what was there before. */
  bytes: number;
  totalBytes: number;
};
