// Drives the page in a real Chromium: every page, every action, hostile names; screenshots are kept.
//
// Prints what it has seen, a line each; ends with 1 and the reason if anything is not as it should be.

import { strict as assert } from "node:assert";
import { browser, faults, job } from "./browser.mjs";
import { told, thousand } from "./crowd.mjs";
import { design } from "./design.mjs";
import { health, start, stops, stranger } from "./instance.mjs";
import { foreign, locked } from "./others.mjs";
import { tour } from "./tour.mjs";

const jobs = { design, foreign, health, locked, start, stops, stranger, thousand, told, tour };

try {
  await jobs[job]();
  if (job !== "stranger") assert.deepEqual(faults, []);
} catch (error) {
  console.error(error.message, faults.join("\n"));
  process.exitCode = 1;
} finally {
  await browser.close();
}
