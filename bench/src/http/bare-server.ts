// What the API is compared with: Express and pg, the same statements, and nothing else. No keys, no limits, no checks,
// no queue.
import { randomUUID } from "node:crypto";
import express from "express";
import { Pool } from "pg";

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const app = express();
app.disable("x-powered-by");

app.get("/ready", async (_request, response) => {
  await pool.query("SELECT 1");
  response.json({ status: "ready" });
});

app.post("/transcribe", express.json(), async (request, response) => {
  const { rows } = await pool.query({
    name: "insert",
    text: `WITH event AS (
        INSERT INTO job_events (job_id, ordinal, type, data) VALUES ($1, 1, 'status', $5)
      )
      INSERT INTO jobs (id, tenant_id, engine, model, options, source, audio_seconds, next_ordinal)
      VALUES ($1, (SELECT id FROM tenants LIMIT 1), 'onnx', $2, $3, $4, 300, 2)
      RETURNING *`,
    values: [
      ...[randomUUID(), "whisper-nano.en", "{}", JSON.stringify({ kind: "url", url: request.body.url })],
      JSON.stringify({ status: "pending" }),
    ],
  });
  response.status(202).json({ job_id: rows[0].id, status: rows[0].status, created_at: rows[0].created_at });
});

app.get("/jobs/:id", async (request, response) => {
  const { rows } = await pool.query({
    name: "select",
    text: "SELECT * FROM jobs WHERE id = $1",
    values: [request.params.id],
  });
  response.json(rows[0]);
});

const server = app.listen(Number(process.env.PORT), "127.0.0.1");
process.once("SIGTERM", () => {
  server.close(() => void pool.end());
  server.closeAllConnections();
});
