import { CONCERNS } from "@scribe/config";

const settings = Object.values(CONCERNS).flatMap((concern) =>
  Object.entries(concern as Record<string, { secret: boolean }>),
);

/** Every variable that a process of ours reads. */
export const SETTING_NAMES = new Set(
  settings.flatMap(([name, { secret }]) => (secret ? [name, `${name}_FILE`] : [name])),
);

export const SECRET_NAMES = new Set(settings.filter(([, { secret }]) => secret).map(([name]) => name));
