import { assemblyaiDoor } from "./assemblyai/door.ts";
import { deepgramDoor } from "./deepgram/door.ts";
import type { Door } from "./door.ts";
import { notesDoor } from "./notes/door.ts";
import { openaiDoor } from "./openai/door.ts";
import { runpodDoor } from "./runpod/door.ts";
import { saasDoor } from "./saas/door.ts";
import { storageDoor } from "./storage/door.ts";

/** All front doors. A door's own room holds its routes, its words for errors, and its `door.ts`. */
const DOORS: readonly Door[] = [
  ...[openaiDoor, deepgramDoor, assemblyaiDoor, runpodDoor],
  ...[notesDoor, storageDoor, saasDoor],
];

/** The door that a path is behind, or null where it is our own. Routes are found in any case of letters, and so is it. */
export function doorOf(path: string): Door | null {
  const lower = path.toLowerCase();
  return DOORS.find(({ prefix }) => lower.startsWith(prefix)) ?? null;
}
