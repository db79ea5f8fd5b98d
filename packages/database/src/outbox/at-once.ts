/**
 * SQL for a `next_run_at` that is due now. The columns hold milliseconds, and storing rounds: plain `now()` may come to lie
 * in the future, where a claim or a dispatcher that follows within the millisecond does not find the row.
 */
export const AT_ONCE = "date_trunc('milliseconds', now())";
