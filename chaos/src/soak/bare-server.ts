// What a status request is compared with: Express, pg, one select by id. No keys, no limits, no logs.
import express from "express";
import { Pool } from "pg";

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
pool.on("error", () => undefined);
const app = express();
app.disable("x-powered-by");
app.get("/jobs/:id", async (request, response) => {
  const { rows } = await pool.query({
    name: "select",
    text: "SELECT * FROM jobs WHERE id = $1",
    values: [request.params.id],
  });
  response.json(rows[0]);
});
const server = app.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
process.once("SIGTERM", () => {
  server.close(() => void pool.end());
  server.closeAllConnections();
});
