import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const BLOCK_BYTES = 1 << 20;

/**
 * Rows of bytes of one size, written once and read in order: a block of a megabyte is in memory, those before it in a file
 * of `folder` that has no name any more, and is gone with the process. Close it.
 */
export class SpilledRows {
  count = 0;
  readonly #folder: string;
  readonly #rowBytes: number;
  readonly #perBlock: number;
  /** The block that is written to. */
  readonly #last: Uint8Array<ArrayBuffer>;
  #lastBlock = 0;
  /** A block that was read again. */
  #page: Uint8Array<ArrayBuffer> | undefined;
  #pageBlock = -1;
  #file: number | undefined;

  constructor(folder: string, rowBytes: number) {
    this.#folder = folder;
    this.#rowBytes = rowBytes;
    this.#perBlock = Math.max(1, Math.floor(BLOCK_BYTES / rowBytes));
    this.#last = new Uint8Array(this.#perBlock * rowBytes);
  }

  /** Returns the row's number. */
  add(row: Uint8Array): number {
    const block = Math.floor(this.count / this.#perBlock);
    if (block > this.#lastBlock) this.#write(this.#last, this.#lastBlock);
    this.#lastBlock = block;
    this.#last.set(row, (this.count % this.#perBlock) * this.#rowBytes);
    return this.count++;
  }

  /** It lasts until the next is asked for, or added. */
  row(number: number): Uint8Array<ArrayBuffer> {
    const block = Math.floor(number / this.#perBlock);
    const from = (number % this.#perBlock) * this.#rowBytes;
    return (block === this.#lastBlock ? this.#last : this.#read(block)).subarray(from, from + this.#rowBytes);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #write(bytes: Uint8Array, block: number): void {
    this.#file ??= openNameless(this.#folder);
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#file, bytes, done, bytes.length - done, block * bytes.length + done);
    }
  }

  #read(block: number): Uint8Array<ArrayBuffer> {
    this.#page ??= new Uint8Array(this.#last.length);
    if (block === this.#pageBlock) return this.#page;
    this.#pageBlock = -1;
    for (let done = 0; done < this.#page.length; ) {
      const position = block * this.#page.length + done;
      const read = readSync(this.#file!, this.#page, done, this.#page.length - done, position);
      if (read === 0) throw new Error("What was found of a recording is not in its file any more.");
      done += read;
    }
    this.#pageBlock = block;
    return this.#page;
  }
}

function openNameless(folder: string): number {
  const path = join(folder, `diarization-${process.pid}-${crypto.randomUUID()}`);
  const file = openSync(path, "wx+", 0o600);
  rmSync(path);
  return file;
}
