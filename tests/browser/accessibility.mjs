// What assistive technology is told by the browser: its own tree, not the page's elements.

import { strict as assert } from "node:assert";
import { setTimeout } from "node:timers/promises";

/** So often, and so far apart in ms, is asked: what is asked about may be drawn anew meanwhile. */
const [ASKED_MAX, APART] = [400, 50];

/** What a reader finds in an element, once it is what is waited for. */
export async function heard(locator, wanted) {
  for (let asked = 0; asked < ASKED_MAX; asked++) {
    const snapshot = await locator.ariaSnapshot().catch(() => "");
    if (wanted.test(snapshot)) return snapshot;
    await setTimeout(APART);
  }
  return assert.match(await locator.ariaSnapshot(), wanted);
}

/** The cell that the grid says its keys are at, with the role and the name that are read out. */
export async function current(page) {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const grid = nodes.find((node) => node.role?.value === "grid");
  const property = (name) => grid.properties.find((one) => one.name === name)?.value;
  assert.ok(property("focused")?.value, "the grid has the focus");
  const [related] = property("activedescendant")?.relatedNodes ?? [];
  const cell = nodes.find((node) => node.backendDOMNodeId === related?.backendDOMNodeId);
  return { role: cell?.role.value, name: cell?.name.value };
}

/** Keeps all that is said from now on: each sentence takes the place of the one before. */
export const listen = (page) =>
  page.evaluate(() => {
    const said = document.getElementById("said");
    window.spoken = [];
    new MutationObserver(() => window.spoken.push(said.textContent)).observe(said, { childList: true });
  });

/** Such a sentence has been said since then, or will be. */
export const said = (page, sentence) =>
  page.waitForFunction(
    (source) => window.spoken.some((text) => new RegExp(source).test(text)),
    sentence.source,
  );
