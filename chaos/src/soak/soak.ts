export async function soak(_: { minutes: number; log: (line: string) => void }): Promise<boolean> {
  throw new Error("soon");
}
