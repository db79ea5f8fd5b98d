/** What can be taken out of a transcript, and what stands in its place. */
export const ENTITY_TYPES = ["email", "phone", "card", "ssn", "iban", "ip", "url", "date_of_birth"] as const;
export type EntityType = (typeof ENTITY_TYPES)[number];

export function isEntityType(name: string): name is EntityType {
  return (ENTITY_TYPES as readonly string[]).includes(name);
}

/** A span of a text, in UTF-16 units, end exclusive. */
export interface Entity {
  type: EntityType;
  start: number;
  end: number;
}

export function placeholder(type: EntityType): string {
  return `[${type.toUpperCase()}]`;
}
