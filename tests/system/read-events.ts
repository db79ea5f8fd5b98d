export interface ServerEvent {
  id?: string;
  event: string;
  data: Record<string, unknown>;
}

/** Reads a Server-Sent Events answer to its end. The parts of the format that the service uses, and nothing more. */
export async function readEvents(response: Response): Promise<ServerEvent[]> {
  const text = (await response.text()).replaceAll("\r\n", "\n");
  return text.split("\n\n").flatMap((block) => {
    const fields = new Map(
      block
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith(":"))
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trimStart()] as const),
    );
    const data = fields.get("data");
    if (data === undefined) return [];
    return [{ id: fields.get("id"), event: fields.get("event") ?? "message", data: JSON.parse(data) }];
  });
}
