// Fetches the model that HUB names, and prints its folder.
import { fetchModel } from "../src/hub/fetch-model.ts";

const { hub, id } = JSON.parse(process.env.HUB ?? "");
const folder = await fetchModel(id, { hub, onWait: () => console.error("waiting") });
console.log(folder);
