import type { Dimension, ElementType, GraphBuilder } from "./graph-builder.ts";

export type Declared = { type: ElementType; dims: readonly Dimension[] };

type Branch<Name extends string> = (branch: GraphBuilder) => Record<Name, string>;

/** What one of two branches gives, by a bool `[]`; only that one is run. */
export function either<Name extends string>(
  g: GraphBuilder,
  condition: string,
  values: Record<Name, Declared>,
  yes: Branch<Name>,
  no: Branch<Name>,
): Record<Name, string> {
  const names = Object.keys(values) as Name[];
  const label = g.unused("either");
  const branch = (side: string, make: Branch<Name>) => {
    const inside = g.subgraph(`${label}/${side}`);
    const made = make(inside);
    for (const name of names) {
      inside.output(`${label}/${side}/${name}`, made[name], values[name].type, values[name].dims);
    }
    return inside;
  };
  const attributes = { then_branch: branch("yes", yes), else_branch: branch("no", no) };
  const outputs = g.ops("If", [condition], names.length, { attributes });
  return Object.fromEntries(names.map((name, i) => [name, outputs[i]])) as Record<Name, string>;
}
