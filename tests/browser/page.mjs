// Drives the page in a real Chromium: every page, every action, hostile names; screenshots are kept.
//
// Arguments: where playwright-core is, the page's address with a code, a folder for screenshots. Prints
// what it has seen, a line each; ends with 1 and the reason if anything is not as it should be.

import { createRequire } from "node:module";
import { strict as assert } from "node:assert";
import { execFileSync } from "node:child_process";
import { appendFileSync } from "node:fs";

const [modules, url, shots, job] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)("playwright-core");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const faults = [];

async function open(options, address) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { faults.push(`a dialog: ${dialog.message()}`); dialog.dismiss(); });
  // A text that makes no sense is answered with 400, which the browser tells too.
  page.on("console", (message) => { if (message.type() === "error" && !message.location().url.endsWith("/config/check")) faults.push(`console: ${message.text()}`); });
  page.on("request", (request) => { if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith("data:") && !request.url().startsWith("blob:")) faults.push(`a request to ${request.url()}`); });
  if (address) {
    await page.goto(address);
    await page.waitForSelector(".dot.live", { state: "attached" });
  }
  return page;
}
const go = (page, hash) => page.evaluate((to) => { location.hash = to; }, hash);
const figure = (text) => appendFileSync(`${shots}/figures.txt`, `${new Date().toISOString()} ${text}\n`);
const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png` });

const jobs = {
  // One session is all a code gives, so all of it happens in one page.
  async tour() {
    const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, url);
    await page.waitForSelector(".instances .row[data-lock]");
    assert.equal(new URL(page.url()).hash.includes("code"), false, "the code is gone from the address");
    const cookies = await page.context().cookies();
    assert.equal(cookies.length + await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
    for (const [hash, heading] of [["#/", /instance/], ["#/t", /Types/], ["#/t/web", /Types/], ["#/t/+", /Types/], ["#/a", /Audit/], ["#/a/Leases", /Audit/], ["#/m", /Metrics/], ["#/c/user", /Configuration/], ["#/c/effective", /Configuration/], ["#/table", /Ports by range/]]) {
      await go(page, hash);
      await page.locator("h1", { hasText: heading }).first().waitFor();
    }
    for (const [width, height] of [[1440, 900], [390, 844], [360, 740], [2560, 1440], [3840, 2160]]) {
      await page.setViewportSize({ width, height });
      for (const theme of ["dark", "light"]) {
        await page.emulateMedia({ colorScheme: theme });
        for (const [name, hash] of [["overview", "#/"], ["types", "#/t"], ["audit", "#/a"], ["metrics", "#/m"], ["config", "#/c/user"]]) {
          await go(page, hash);
          await page.waitForFunction((hash) => location.hash === hash && document.querySelector("main").childElementCount > 0, hash);
          // Not before there is something to see.
          const filled = { audit: ".audit .row:not(.heads)", config: ".sheet .code-line", types: "tbody tr", overview: ".instances .row[data-lock]" }[name];
          if (filled) await page.locator(filled).first().waitFor();
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${name} at ${width} scrolls sideways by ${over}`);
          if (width !== 3840) await shot(page, `${name}-${theme}-${width}`);
        }
      }
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.emulateMedia({ colorScheme: "dark", forcedColors: "active", reducedMotion: "reduce" });
    for (const [name, hash] of [["overview", "#/"], ["types", "#/t/web"], ["metrics", "#/m"]]) {
      await go(page, hash);
      await page.waitForFunction((hash) => location.hash === hash && document.querySelector("main").childElementCount > 0, hash);
      await shot(page, `${name}-forced-colours-1440`);
    }
    await page.emulateMedia({ forcedColors: "none", reducedMotion: "no-preference" });
    console.log("every page, in every size");
    // Hostile text is text.
    await go(page, "#/");
    const row = page.locator(".instances .row", { hasText: "hostile" });
    await row.click();
    await page.locator(".log-line", { hasText: "<img src=x onerror=alert(1)>" }).waitFor();
    assert.equal(await page.locator(".log-lines img, .log-lines script").count(), 0);
    await shot(page, "instance-hostile-log");
    console.log("hostile text is text");
    // A question stands where the button was; its safe answer has the focus; Esc is that answer.
    await page.getByRole("button", { name: "Stop…" }).click();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Keep it running");
    await page.keyboard.press("Escape");
    await page.locator(".question").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Restart" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll(".facts dt")].some((dt) => dt.textContent === "Restarts"));
    await page.locator(".drawer-head .glyph .phase-ready").waitFor();
    await page.getByRole("button", { name: "Stop…" }).click();
    await page.getByRole("button", { name: "Stop it" }).click();
    await page.locator(".instances .row", { hasText: "hostile" }).waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    console.log("restarted and stopped");
    // A type is added, and removed by its undo.
    await go(page, "#/t/+");
    await page.getByLabel("Name").fill("from-the-page");
    await page.locator(".verdict", { hasText: "Fits." }).waitFor();
    await page.locator("#type-first").fill("70000");
    await page.locator(".verdict.bad").waitFor();
    await page.locator("#type-first").fill("61000");
    await page.locator("#type-last").fill("61009");
    // Drawn with the pointer, moved by keys, and typed: three ways to the same two numbers.
    const ends = async () => [Number(await page.locator("#type-first").inputValue()), Number(await page.locator("#type-last").inputValue())];
    const axis = await page.locator(".axis-editor").boundingBox();
    const across = async (from, to) => {
      await page.mouse.move(axis.x + axis.width * from, axis.y + 34);
      await page.mouse.down();
      await page.mouse.move(axis.x + axis.width * (from + to) / 2, axis.y + 34);
      await page.mouse.move(axis.x + axis.width * to, axis.y + 34);
      await page.mouse.up();
    };
    await across(0.1, 0.3);
    const [drawnFirst, drawnLast] = await ends();
    assert.ok(drawnFirst < 61000 && drawnLast > drawnFirst && drawnLast < 61000, `drawn ${drawnFirst} to ${drawnLast}`);
    await page.locator('.axis-editor [data-end="1"]').focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Shift+ArrowRight");
    assert.deepEqual(await ends(), [drawnFirst, drawnLast + 11]);
    await shot(page, "types-editor-dark-1440");
    await page.locator("#type-first").fill("61000");
    await page.locator("#type-last").fill("61009");
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.locator("tbody a", { hasText: "from-the-page" }).waitFor();
    await page.getByRole("button", { name: "Undo", exact: true }).click();
    await page.locator("tbody a", { hasText: "from-the-page" }).waitFor({ state: "detached" });
    console.log("a type came and went");
    // The configuration is checked as one types.
    await go(page, "#/c/user");
    const text = page.getByLabel("Text of the file");
    const before = await text.inputValue();
    await text.fill(`${before}\n[auto_allocation]\ndefault_chunk_siz = 20\n`);
    await page.locator(".said.bad", { hasText: "unknown key" }).waitFor();
    assert.ok(await page.getByRole("button", { name: "Save", exact: true }).isDisabled());
    await page.getByRole("button", { name: "Use it" }).click();
    await page.locator(".diff .plus", { hasText: "20" }).waitFor();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.locator("#undo", { hasText: "Saved" }).waitFor();
    await page.locator(".aside", { hasText: "was 10 built in" }).waitFor();
    await shot(page, "config-saved-dark-1440");
    console.log("a setting was saved");
    // Keys, and the names that readers hear.
    await go(page, "#/");
    await page.keyboard.press("g");
    await page.keyboard.press("m");
    await page.locator("h1", { hasText: "Metrics" }).waitFor();
    await page.keyboard.press("?");
    await page.locator("#keys-box").waitFor();
    await page.keyboard.press("Escape");
    const nameless = await page.evaluate(() => [...document.querySelectorAll("button, a, input, select, textarea")].filter((node) => !node.textContent.trim() && !node.ariaLabel && !node.title && !node.labels?.length && !node.closest("label")).map((node) => node.outerHTML));
    assert.deepEqual(nameless, []);
    console.log("keys and names");
  },

  // A page of another origin in the same browser reaches nothing.
  async stranger() {
    const page = await (await browser.newContext()).newPage();
    const target = new URL(url).origin;
    await page.goto(process.argv[6]);
    const told = await page.evaluate(async (target) => {
      const tried = {};
      tried.fetch = await fetch(`${target}/allocations`).then(() => "read", () => "refused");
      tried.post = await fetch(`${target}/allocate`, { method: "POST", mode: "no-cors", headers: { "content-type": "text/plain" }, body: '{"service_type":"web","service_name":"stranger"}' }).then((answer) => answer.type, () => "refused");
      tried.json = await fetch(`${target}/allocate`, { method: "POST", headers: { "content-type": "application/json" }, body: '{"service_type":"web","service_name":"stranger"}' }).then(() => "read", () => "refused");
      tried.image = await new Promise((done) => { const image = new Image(); image.onload = () => done("read"); image.onerror = () => done("refused"); image.src = `${target}/metrics`; });
      tried.stream = await new Promise((done) => { const source = new EventSource(`${target}/events`); source.onopen = () => done("read"); source.onerror = () => { source.close(); done("refused"); }; });
      const form = document.createElement("form");
      form.method = "post"; form.enctype = "text/plain"; form.action = `${target}/allocate`; form.target = "gone";
      const frame = document.createElement("iframe");
      frame.name = "gone";
      document.body.append(frame, form);
      await new Promise((done) => { frame.onload = done; setTimeout(done, 3000); form.submit(); });
      return tried;
    }, target);
    assert.deepEqual(told, { fetch: "refused", post: "refused", json: "refused", image: "refused", stream: "refused" });
    console.log("a stranger reads nothing");
  },

  // A lease of a terminal appears, and no request of the page's has asked for it.
  async told() {
    const { program, words, env, cwd } = JSON.parse(process.argv[6]);
    const page = await open({ viewport: { width: 1440, height: 900 } }, url);
    await page.locator("h1", { hasText: "1 instance" }).waitFor();
    const asked = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    await page.evaluate(() => {
      const there = () => [...document.querySelectorAll(".instances .row")].some((row) => row.textContent.includes("from-a-terminal"));
      window.appeared = new Promise((done) => new MutationObserver(() => { if (there()) done(Date.now()); }).observe(document.body, { childList: true, subtree: true, characterData: true }));
    });
    const begun = Date.now();
    execFileSync(program, words, { env, cwd });
    const made = Date.now();
    const appeared = await page.evaluate(() => window.appeared);
    figure(`a lease appears ${appeared - begun} ms after its command was started, which took ${made - begun} ms`);
    // What processes use and who listens is asked for while somebody looks; neither names a lease that is new.
    assert.deepEqual(asked.filter((path) => path !== "/usage" && path !== "/scan"), []);
    console.log("a lease of a terminal");
  },

  // A thousand leases are drawn within a second or so, and scrolled through fluently.
  async thousand() {
    const page = await open({ viewport: { width: 1440, height: 900 } }, url);
    await page.waitForFunction(() => document.querySelectorAll(".instances .row[data-lock]").length >= 1000);
    const nodes = await page.evaluate(() => document.querySelectorAll(".lines *").length);
    assert.ok(nodes < 6000, `${nodes} nodes in the map`);
    await shot(page, "thousand");
    // A figure to keep, not one to fail by: machines are shared. Without a display, a frame takes what its work takes.
    const frames = await page.evaluate(() => new Promise((done) => {
      const times = [];
      let before = performance.now();
      const frame = (now) => {
        times.push(now - before);
        before = now;
        scrollBy(0, times.length < 60 ? 240 : -240);
        if (times.length < 120) requestAnimationFrame(frame); else done(times.slice(1).sort((a, b) => a - b));
      };
      requestAnimationFrame(frame);
    }));
    assert.equal(frames.length, 119);
    figure(`frames while scrolling through 1000 leases: median ${frames[60].toFixed(1)} ms, 95% ${frames[113].toFixed(1)} ms, longest ${frames[118].toFixed(1)} ms`);
    console.log("a thousand leases");
  },
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
