import { cutAtStrong, findRuns } from "./digit-runs.ts";
import type { Entity, EntityType } from "./entity.ts";
import { findAddresses } from "./find-addresses.ts";
import { findBirthDates } from "./find-birth-dates.ts";
import { findCards } from "./find-cards.ts";
import { findIbans } from "./find-ibans.ts";
import { findIps } from "./find-ips.ts";
import { findPhones } from "./find-phones.ts";
import { findSocialSecurity } from "./find-social-security.ts";
import { toUnits } from "./units.ts";

/** Where two overlap, the first of these stands: those with check digits before those that context decides. */
const BY_CERTAINTY: readonly EntityType[] = ["email", "iban", "card", "ip", "ssn", "date_of_birth", "phone", "url"];

/**
 * Everything in a text that is personal, written or as speech spells it, in order and without overlaps. All kinds are
 * looked for whatever is asked, so that a card is not taken for a telephone number where only those are wanted.
 */
export function findEntities(text: string): Entity[] {
  const units = toUnits(text);
  const runs = findRuns(units);
  const calm = runs.flatMap(cutAtStrong);
  const candidates = [
    ...findAddresses(units),
    ...findIbans(units),
    ...runs.flatMap(findCards),
    ...findIps(text, units),
    ...calm.flatMap((run) => findSocialSecurity(units, run)),
    ...findBirthDates(units),
    ...calm.flatMap((run) => findPhones(units, run)),
  ];
  const taken: Entity[] = [];
  const covered = new Uint8Array(text.length);
  for (const type of BY_CERTAINTY) {
    for (const entity of candidates) {
      if (entity.type !== type || covered.subarray(entity.start, entity.end).includes(1)) continue;
      covered.fill(1, entity.start, entity.end);
      taken.push(entity);
    }
  }
  return taken.sort((a, b) => a.start - b.start);
}
