// pnpm installs this workspace; whoever typed `npm install` is told what to type instead.
if ((process.env.npm_config_user_agent ?? "").startsWith("npm/")) {
  console.log("Scribe Rabbit sets itself up: run `npm run setup` (or just `npm run demo`).");
}
