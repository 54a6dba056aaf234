// A real Chromium, and what its pages may not do: every fault of theirs is kept.
//
// Arguments of whoever imports it: where playwright-core is, the page's address with a code, a folder for
// screenshots and figures, what to do, and what that needs to know.

import { createRequire } from "node:module";
import { appendFileSync } from "node:fs";

export const [modules, url, shots, job, given] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
export const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
export const faults = [];

/** When an interface comes or goes, as those of containers in other tests do, Chromium ends all of its requests so. */
const INTERFACES = "ERR_NETWORK_CHANGED";
/** No step takes a tenth of this on an idle machine; a busy one gets the rest. In ms. */
const LIMIT = 120_000;

/** A page in a session of its own, at an address if there is one. */
export async function open(options, address) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  // A text that makes no sense is answered with 400, and who ends while it is asked about with 404: the browser tells that, too.
  const isKnown = (message) =>
    message.location().url.endsWith("/config/check") ||
    (message.location().url.endsWith("/checks") && message.text().includes("404")) ||
    message.text().includes(INTERFACES);
  page.on("console", (message) => {
    if (message.type() === "error" && !isKnown(message)) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (
      !request.url().startsWith(new URL(url).origin) &&
      !request.url().startsWith("data:") &&
      !request.url().startsWith("blob:")
    )
      faults.push(`a request to ${request.url()}`);
  });
  if (address) await load(page, address);
  return page;
}

/** Opens the page. A file that the browser has dropped on its way is fetched again with all the others. */
async function load(page, address) {
  let dropped = null;
  page.on("requestfailed", (request) => {
    if (request.failure().errorText.includes(INTERFACES) && request.resourceType() === "script") dropped?.();
  });
  const isLive = () => page.waitForSelector(".dot.live", { state: "attached" }).then(() => true);
  const isDropped = () =>
    new Promise((resolve) => {
      dropped = () => resolve(false);
    });
  let first = isDropped();
  await page.goto(address);
  while (!(await Promise.race([isLive(), first]))) {
    first = isDropped();
    await page.reload();
  }
}
/** Leads a page elsewhere. */
export const go = (page, hash) =>
  page.evaluate((to) => {
    location.hash = to;
  }, hash);
/** Keeps what was measured. */
export const figure = (text) =>
  appendFileSync(`${shots}/figures.txt`, `${new Date().toISOString()} ${text}\n`);
/** Keeps what is seen. */
export const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png` });
