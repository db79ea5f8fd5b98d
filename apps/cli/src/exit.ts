export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** The command line asks for something that cannot be. */
export class WrongUsage extends Error {
  override readonly name = "WrongUsage";
}
