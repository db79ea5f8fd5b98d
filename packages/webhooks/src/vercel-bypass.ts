/**
 * The header that lets a delivery through Vercel's deployment protection, for hosts that the operator named and for no
 * other: the secret is the instance's own. Only over https, so that nobody on the way reads it.
 */
export function vercelBypass({
  hosts,
  secret,
}: {
  hosts: readonly string[];
  secret: string | undefined;
}): (url: string) => Record<string, string> {
  const named = new Set(hosts.map((host) => host.toLowerCase()));
  return (url): Record<string, string> => {
    const { protocol, hostname } = new URL(url);
    const wanted = secret !== undefined && protocol === "https:" && named.has(hostname);
    return wanted ? { "x-vercel-protection-bypass": secret } : {};
  };
}
