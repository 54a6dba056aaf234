// Nothing in the band moves while the page loads: what is pressed is where it was when one aimed.

import { strict as assert } from "node:assert";
import { anotherAddress, enter, given, open, url } from "./browser.mjs";

/** Loads the page on a desk and on a phone. */
export async function still() {
  await isStill(url, 1440, 900);
  await isStill(await anotherAddress(given), 360, 740);
  console.log("nothing moves");
}

/** Wherever the connection's word changes, what is in the bar stays where it is. */
async function isStill(address, width, height) {
  const page = await open({ viewport: { width, height } });
  await page.addInitScript(() => {
    window.seen = {};
    new MutationObserver(() => {
      const word = document.querySelector(".connection")?.textContent;
      if (word === undefined) return;
      (window.seen[word] ??= []).push(
        [...document.querySelectorAll(".bar > *, .dot")].map((node) => {
          const { x, y, width, height } = node.getBoundingClientRect();
          return [x, y, width, height];
        }),
      );
    }).observe(document, { childList: true, subtree: true, characterData: true });
  });
  await enter(page, address);
  const seen = await page.evaluate(() => window.seen);
  for (const word of ["Connecting", "Live"]) assert.ok(seen[word], `${word} was not said`);
  const places = Object.values(seen).flat();
  for (const place of places) assert.deepEqual(place, places[0], `something moves at ${width} px`);
  await page.context().close();
}
