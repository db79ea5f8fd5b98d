import { passwordProblem } from "@scribe/accounts";
import { audit, endSessions, replacePasswordHash } from "@scribe/database";
import { RequestError } from "@scribe/domain";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { requestSchema } from "../openapi/schemas.ts";
import { limitAuth, whenFree } from "./auth-limits.ts";
import { checkPassword } from "./auth-login.ts";
import { passwordField, refuseField, userOf } from "./auth-view.ts";
import { accountsOf } from "./middleware/require-accounts.ts";

const passwordBody = requestSchema(
  "ChangePassword",
  z.strictObject({ current_password: passwordField, new_password: passwordField }),
);

export const postPassword = defineRoute({
  method: "post",
  path: "/api/v1/auth/password",
  operationId: "changePassword",
  summary: "Change the own password; all other sessions end",
  tag: "Accounts",
  scope: "read",
  accounts: true,
  body: { kind: "json", schema: passwordBody },
  answers: { 204: { description: "The password is changed" } },
  handle:
    (api) =>
    async ({ request, response, caller, body }) => {
      const { email, id: userId, sessionId } = userOf(caller);
      await limitAuth(api, request);
      const problem = passwordProblem(body.new_password, email);
      if (problem !== null) refuseField("new_password", problem);
      const user = await checkPassword(api, request, { email, password: body.current_password });
      const { passwords } = accountsOf(api);
      const after = await whenFree(passwords.hash(body.new_password));
      if (!(await replacePasswordHash(api.db, { userId, before: user.passwordHash, after }))) {
        throw new RequestError("conflict", "The password was changed meanwhile; try again.");
      }
      const sessions = await endSessions(api.db, { userId, why: "password", but: sessionId });
      await audit(api.db, {
        ...{ tenantId: caller.tenantId, actor: caller.publicId, action: "password.changed", target: userId },
        ...{ address: request.ip, detail: { sessions } },
      });
      response.status(204).end();
    },
});
