import { assemblyaiDoor } from "./assemblyai/door.ts";
import { deepgramDoor } from "./deepgram/door.ts";
import type { Door } from "./door.ts";
import { openaiDoor } from "./openai/door.ts";
import { runpodDoor } from "./runpod/door.ts";

/** All front doors. A door's own room holds its routes, its words for errors, and its `door.ts`. */
const DOORS: readonly Door[] = [openaiDoor, deepgramDoor, assemblyaiDoor, runpodDoor];

/** The door that a path is behind, or null where it is our own. */
export function doorOf(path: string): Door | null {
  return DOORS.find(({ prefix }) => path.startsWith(prefix)) ?? null;
}
