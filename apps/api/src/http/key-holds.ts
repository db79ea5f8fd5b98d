import { findKey, findSession } from "@scribe/database";
import type { Api } from "../api.ts";
import { type Caller, refusalOf } from "./middleware/authenticate.ts";

/** Whether whoever opened a stream may still read: keys are revoked, and sessions end, while it is open. */
export async function keyHolds({ db }: Pick<Api, "db">, { publicId, tenantId, user }: Caller): Promise<boolean> {
  if (user !== null) {
    const session = await findSession(db, { userId: user.id, sessionId: user.sessionId, tenantId });
    return session !== null && session !== "not a member";
  }
  const key = await findKey(db, publicId);
  return key !== null && refusalOf(key) === null;
}
