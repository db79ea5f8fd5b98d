/** One instruction, continued lines joined: `COPY`, and what stands behind it. */
export interface Instruction {
  name: string;
  rest: string;
}

export interface Stage {
  /** As a build argument has it by default. */
  from: string;
  name: string;
  instructions: Instruction[];
}

/** The stages of a Dockerfile, with the defaults of its global arguments in place. */
export function readDockerfile(text: string): { args: Map<string, string>; stages: Stage[] } {
  const args = new Map<string, string>();
  const stages: Stage[] = [];
  const lines = text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("#"))
    .join("\n")
    .replaceAll(/\\\n\s*/g, "");
  for (const line of lines.split("\n")) {
    const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) {
      if (line.trim() !== "") throw new Error(`No instruction: ${line}`);
    } else if (name === "FROM") {
      const [, from, stage = ""] = /^(\S+)(?: AS (\S+))?$/.exec(rest)!;
      const argument = /^\$\{(\w+)\}$/.exec(from)?.[1];
      stages.push({ from: argument ? args.get(argument)! : from, name: stage, instructions: [] });
    } else if (stages.length > 0) {
      stages.at(-1)!.instructions.push({ name, rest });
    } else if (name === "ARG") {
      const [argument = "", value = ""] = rest.split("=");
      args.set(argument, value);
    }
  }
  return { args, stages };
}

/** The values of all instructions of one name in a stage. */
export function valuesOf(stage: Stage, name: string): string[] {
  return stage.instructions.filter((instruction) => instruction.name === name).map(({ rest }) => rest);
}
