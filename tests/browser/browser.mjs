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
    isOfNetwork(message.text()) ||
    message.location().url.endsWith("/config/check") ||
    (message.location().url.endsWith("/checks") && message.text().includes("404"));
  page.on("console", (message) => {
    if (message.type() !== "error" || isKnown(message)) return;
    faults.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    if (
      !request.url().startsWith(new URL(url).origin) &&
      !request.url().startsWith("data:") &&
      !request.url().startsWith("blob:")
    )
      faults.push(`a request to ${request.url()}`);
  });
  if (address) await enter(page, address);
  return page;
}

/** So often, and so long in ms, is waited for a page to load. */
const [LOADS_MAX, WAIT] = [8, LIMIT / 8];

/** Opens a page until it hears the server; anew if its files did not come for the machine got another network. */
export async function enter(page, address) {
  let isBroken = true;
  page.on("requestfailed", (request) => {
    isBroken ||= isOfNetwork(request.failure()?.errorText ?? "");
  });
  for (let load = 1; ; load++) {
    try {
      if (isBroken) {
        isBroken = false;
        await (load === 1 ? page.goto(address) : page.reload());
      }
      await page.waitForSelector(".dot.live", { state: "attached", timeout: WAIT });
      return;
    } catch (error) {
      if (load === LOADS_MAX) throw error;
    }
  }
}

/** The page's address with another code, for a code lets in once. */
export async function anotherAddress(token) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(new URL("/session/code", url), { method: "POST", headers, body: "{}" });
  return (await answer.json()).url;
}

/** What slides or fades in is where it belongs; what moves for ever goes on. */
export const settled = (page) =>
  page.evaluate(() => {
    const passing = document
      .getAnimations()
      .filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    return Promise.allSettled(passing.map((one) => one.finished));
  });

/** Another test's containers come and go with networks of their own; it is no fault of a page's. */
const isOfNetwork = (text) => text.includes("ERR_NETWORK_CHANGED");
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

/** Has the pointer's tip: a map that is drawn anew beneath it says nothing until it moves again. */
export async function pointAt(page, cell, tip) {
  const shows = () =>
    tip.waitFor({ timeout: 1000 }).then(
      () => true,
      () => false,
    );
  for (let tries = 0; tries < 30; tries++) {
    await cell.hover();
    if (await shows()) return;
    await page.mouse.move(1, 1);
  }
  await tip.waitFor();
}
