/** Buffers of exactly `partBytes`, the last one smaller; an empty body has none. */
export async function* cutIntoParts(chunks: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    while (bytes + rest.byteLength >= partBytes) {
      const cut = partBytes - bytes;
      yield Buffer.concat([...held, rest.subarray(0, cut)], partBytes);
      rest = rest.subarray(cut);
      held = [];
      bytes = 0;
    }
    if (rest.byteLength === 0) continue;
    held.push(rest);
    bytes += rest.byteLength;
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}
