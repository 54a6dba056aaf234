// Drives the page in a real Chromium: every page, every action, hostile names; screenshots are kept.
//
// Prints what it has seen, a line each; ends with 1 and the reason if anything is not as it should be.

import { strict as assert } from "node:assert";
import { audit } from "./audit.mjs";
import { browser, faults, job } from "./browser.mjs";
import { told, thousand } from "./crowd.mjs";
import { design } from "./design.mjs";
import { health, start, stops, stranger } from "./instance.mjs";
import { map } from "./map.mjs";
import { foreign, locked } from "./others.mjs";
import { sheets } from "./sheets.mjs";
import { still } from "./still.mjs";
import { tour } from "./tour.mjs";
import { ways } from "./ways.mjs";

const jobs = {
  audit,
  design,
  foreign,
  health,
  locked,
  map,
  sheets,
  start,
  still,
  stops,
  stranger,
  thousand,
  told,
  tour,
  ways,
};

try {
  await jobs[job]();
  if (job !== "stranger") assert.deepEqual(faults, []);
} catch (error) {
  console.error(error.message, faults.join("\n"));
  process.exitCode = 1;
} finally {
  await browser.close();
}
