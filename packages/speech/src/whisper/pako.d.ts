declare module "pako" {
  /** zlib stream of `data` at the default level. */
  export function deflate(data: Uint8Array): Uint8Array;
}
