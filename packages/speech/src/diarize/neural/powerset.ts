/** Sets of up to `most` of `speakers`, smaller ones first, in the order of their members: the classes of a powerset. */
export function powersetClasses(speakers: number, most: number): number[][] {
  const sets: number[][] = [[]];
  for (let size = 1; size <= most; size++) {
    const grow = (set: number[], from: number) => {
      if (set.length === size) sets.push(set);
      else for (let speaker = from; speaker < speakers; speaker++) grow([...set, speaker], speaker + 1);
    };
    grow([], 0);
  }
  return sets;
}

/**
 * Logits of powerset classes `[frames, classes]` → who speaks, `[frames, speakers]` of 0 and 1: the likeliest set of each
 * frame (Plaquet and Bredin 2023). Seven classes are up to two of three speakers.
 */
export function decodePowerset(logits: Float32Array, speakers = 3, most = 2): Uint8Array {
  const sets = powersetClasses(speakers, most);
  const frames = logits.length / sets.length;
  const active = new Uint8Array(frames * speakers);
  for (let frame = 0; frame < frames; frame++) {
    const row = logits.subarray(frame * sets.length, (frame + 1) * sets.length);
    let best = 0;
    for (let c = 1; c < row.length; c++) if (row[c] > row[best]) best = c;
    for (const speaker of sets[best]) active[frame * speakers + speaker] = 1;
  }
  return active;
}
