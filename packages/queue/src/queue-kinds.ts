import type { OutboxKind } from "@scribe/database";
import { z } from "zod";

export type QueueKind = OutboxKind;

/** BullMQ's names of the queues. */
export const QUEUE_NAMES = {
  transcription: "scribe-transcription",
  webhooks: "scribe-webhooks",
  enhancement: "scribe-enhancement",
} as const satisfies Record<QueueKind, string>;

/** A message carries an id only; later fields must be optional, so that old and new replicas run side by side. */
export const messageSchema = z.object({ id: z.uuid() });

/** BullMQ keeps an id that it has seen as long as the message lives, so each sending has an id of its own. */
export function messageId(row: { id: string; dispatch: number }): string {
  return `${row.id}-${row.dispatch}`;
}
