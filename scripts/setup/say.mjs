/** Something that a person can mend: shown as its message alone, without a stack. */
export class Complaint extends Error {}

/** Progress and complaints go to standard error: standard output belongs to the task. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}
