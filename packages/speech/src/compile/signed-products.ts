import { readFile } from "node:fs/promises";

/** Instructions that add up products of unsigned and signed bytes in 32 bit at once. */
const EXACT = /\b(avx512_vnni|avx_vnni|amx_int8)\b/;

/**
 * Whether this processor multiplies unsigned bytes with signed ones fast and right. x64 without VNNI adds two such
 * products in 16 bit, where they do not fit: there both sides have to be unsigned. Other processors have instructions of
 * their own. Where an x64 system does not say what it can, the answer is no.
 */
export async function hasSignedProducts(architecture: string = process.arch, told = "/proc/cpuinfo"): Promise<boolean> {
  if (architecture !== "x64") return true;
  const flags = await readFile(told, "utf8").catch(() => "");
  return EXACT.test(/^flags\s*:.*$/m.exec(flags)?.[0] ?? "");
}
