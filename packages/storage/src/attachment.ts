/** `Content-Disposition` of a download; names beyond ASCII as RFC 8187 writes them. */
export function attachment(name: string): string {
  if (/^[\w .()-]+$/.test(name)) return `attachment; filename="${name}"`;
  const encoded = encodeURIComponent(name).replaceAll(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
  return `attachment; filename*=UTF-8''${encoded}`;
}
