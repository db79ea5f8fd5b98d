/** Something that a worker does for as long as it runs. */
export interface Role {
  name: "transcription" | "webhooks" | "maintenance" | "enhancement";
  /** Takes nothing new; resolves when what was in hand is done. */
  drain(): Promise<void>;
  /** Ends what is in hand at once, handing it back where that is possible; `drain` resolves soon. */
  abort(): void;
  close(): Promise<void>;
}
