/** Where a setting of an older service leads today. */
interface OldName {
  name: string;
  /** Of today's setting. */
  today: string;
  /** What the value reads today; null where it asks for nothing any more. Absent: as it was. */
  read?: (value: string) => string | null;
}

/** What the services that this one replaces called them. Of several that lead to one setting the first counts. */
const OLD_NAMES: readonly OldName[] = [
  { name: "LOCAL_STORAGE_DIR", today: "AUDIO_STORAGE_PATH" },
  { name: "TEMP_AUDIO_DIR", today: "AUDIO_STORAGE_PATH" },
  { name: "OPENAI_MODEL", today: "OPENAI_MODELS" },
  {
    name: "TRANSCRIPTION_BACKEND",
    today: "SCRIBE_ENABLE_STUB",
    read: (value) => (value === "stub" ? "true" : null),
  },
];

/**
 * The environment with today's names where it has older ones, and a warning for each that names today's. Where both are
 * set, today's counts.
 */
export function inTodaysNames(given: NodeJS.ProcessEnv): { env: NodeJS.ProcessEnv; warnings: string[] } {
  const env = { ...given };
  const warnings: string[] = [];
  for (const { name, today, read = (value: string) => value } of OLD_NAMES) {
    const value = env[name];
    if (value === undefined || value === "") continue;
    const todays = read(value);
    if (todays === null) {
      warnings.push(`${name} is an older name, and what it says is no setting any more`);
    } else if (env[today] !== undefined && env[today] !== "") {
      warnings.push(`${name} is an older name of ${today}, which is set, too, and counts`);
    } else {
      env[today] = todays;
      warnings.push(`${name} is an older name; today it is ${today}${todays === value ? "" : `=${todays}`}`);
    }
  }
  if (env.LOG_FORMAT === "text") {
    env.LOG_FORMAT = "pretty";
    warnings.push("LOG_FORMAT=text is an older word; today it is LOG_FORMAT=pretty");
  }
  return { env, warnings };
}
