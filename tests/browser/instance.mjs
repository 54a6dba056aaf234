// One instance on the page: its checks, its stop, its start; and a page of another origin that may do none of it.

import { strict as assert } from "node:assert";
import { renameSync } from "node:fs";
import { browser, faults, given, open, shot, url } from "./browser.mjs";

/** A page of another origin in the same browser reaches nothing. */
export async function stranger() {
  const page = await (await browser.newContext()).newPage();
  const target = new URL(url).origin;
  await page.goto(given);
  const told = await page.evaluate(async (target) => {
    const tried = {};
    tried.fetch = await fetch(`${target}/allocations`).then(
      () => "read",
      () => "refused",
    );
    tried.post = await fetch(`${target}/allocate`, {
      method: "POST",
      mode: "no-cors",
      headers: { "content-type": "text/plain" },
      body: '{"service_type":"web","service_name":"stranger"}',
    }).then(
      (answer) => answer.type,
      () => "refused",
    );
    tried.json = await fetch(`${target}/allocate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"service_type":"web","service_name":"stranger"}',
    }).then(
      () => "read",
      () => "refused",
    );
    tried.image = await new Promise((done) => {
      const image = new Image();
      image.onload = () => done("read");
      image.onerror = () => done("refused");
      image.src = `${target}/metrics`;
    });
    tried.stream = await new Promise((done) => {
      const source = new EventSource(`${target}/events`);
      source.onopen = () => done("read");
      source.onerror = () => {
        source.close();
        done("refused");
      };
    });
    const form = document.createElement("form");
    form.method = "post";
    form.enctype = "text/plain";
    form.action = `${target}/allocate`;
    form.target = "gone";
    const frame = document.createElement("iframe");
    frame.name = "gone";
    document.body.append(frame, form);
    await new Promise((done) => {
      frame.onload = done;
      setTimeout(done, 3000);
      form.submit();
    });
    return tried;
  }, target);
  assert.deepEqual(told, {
    fetch: "refused",
    post: "refused",
    json: "refused",
    image: "refused",
    stream: "refused",
  });
  console.log("a stranger reads nothing");
}

/** How checks go is seen as bars; nobody is asked again who is not checked. */
export async function health() {
  const { status, shots: name } = JSON.parse(given);
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, url);
  const asked = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/checks")) asked.push(request.url());
  });
  await page.locator(".instances .row", { hasText: "unchecked" }).click();
  await page.waitForFunction(() => location.hash.startsWith("#/i/"));
  await page.locator(".drawer-head b", { hasText: "unchecked" }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".instances .row .row-name", { hasText: "well" }).click();
  await page.locator(".checks .tone-ready").nth(20).waitFor({ state: "attached" });
  assert.equal(await page.locator(".checks .tone-unhealthy").count(), 0);
  assert.match(await page.locator(".health .head").textContent(), /checked every 20 ms.* passed$/);
  renameSync(`${status}.ill`, status);
  await page.locator(".checks .tone-unhealthy").nth(2).waitFor({ state: "attached" });
  await page.locator(".reason-box", { hasText: "The answer was 500." }).waitFor();
  await page.locator(".instances .reason", { hasText: /^The answer was 500, for \d+ (s|min)$/ }).waitFor();
  await page.locator(".alarm", { hasText: /unhealthy for \d+ (s|min)$/ }).waitFor();
  assert.match(
    await page.locator(".checks").getAttribute("aria-label"),
    /^44 checks, \d+ failed; the last one failed: the answer was 500$/,
  );
  await shot(page, `${name}-dark-1440`);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  await shot(page, `${name}-light-360`);
  assert.equal(asked.filter((path) => path.includes("unchecked")).length, 1, "one question is enough");
  console.log("health");
}

/** A stop is told before, while it lasts, and when something survives it. */
export async function stops() {
  const { survivor, port } = JSON.parse(given);
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" }, url);
  const stop = async (name, question) => {
    await page.locator(".instances .row .row-name", { hasText: name }).click();
    await page.locator(".drawer-head h2", { hasText: name }).waitFor();
    await page.locator(".drawer-body dd", { hasText: "1 process" }).waitFor();
    await page.getByRole("button", { name: "Stop…" }).click();
    await page.locator(".question", { hasText: question }).waitFor();
    await shot(page, `stop-${name.replace("/", "-")}-dark-1440`);
    await page.getByRole("button", { name: "Stop it" }).click();
  };
  await stop(
    "web/deaf",
    /Its 1 process gets INT, and KILL after 30 s\. Port \d+ is free again when it is gone\./,
  );
  const left = async () =>
    Number(
      /KILL in (\d+) s\./.exec(
        await page.locator(".reason-box", { hasText: /^stoppingKILL in \d+ s\.$/ }).textContent(),
      )[1],
    );
  const first = await left();
  await shot(page, "stopping-dark-1440");
  await page.waitForFunction(
    (first) => Number(/KILL in (\d+)/.exec(document.querySelector(".reason-box").textContent)?.[1]) < first,
    first,
  );
  await page.keyboard.press("Escape");
  await stop("tiny/a", /Its 1 process gets TERM, and KILL after 100 ms\./);
  await page
    .locator(".reason-box", {
      hasText: `stuckOne process survived: ${survivor} python. Port ${port} will not be given out until it is gone.`,
    })
    .waitFor();
  await page.locator(".question", { hasText: "Could not stop tiny/a" }).waitFor();
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 360, height: 740 });
  await shot(page, "stuck-light-360");
  // What could not be done is said by the server, too.
  faults.splice(0, faults.length, ...faults.filter((fault) => !/status of 5\d\d/.test(fault)));
  console.log("stops");
}

/** What a project names is started, stopped, and started again where it was. */
export async function start() {
  const page = await open({ viewport: { width: 1440, height: 900 }, colorScheme: "light" }, url);
  const line = (name) => page.locator(`.services li[data-service="${name}"]`);
  await line("front").waitFor();
  await shot(page, "services-light-1440");
  await line("broken").getByRole("button").click();
  await line("broken").locator(".failure", { hasText: "Could not start web/broken." }).waitFor();
  await line("front").getByRole("button", { name: "Start front" }).click();
  await page.locator(".instances .row", { hasText: "front" }).waitFor();
  await line("front").waitFor({ state: "detached" });
  await page.locator(".instances .row .row-name", { hasText: "front" }).click();
  await page.locator(".drawer-head .glyph .phase-ready").waitFor();
  const first = await page.evaluate(() => location.hash);
  await page.getByRole("button", { name: "Stop…" }).click();
  await page.getByRole("button", { name: "Stop it" }).click();
  await page.locator(".reason-box.ended").getByRole("button", { name: "Start front" }).click();
  await page.waitForFunction((first) => location.hash.startsWith("#/i/") && location.hash !== first, first);
  await page.locator(".drawer-head .glyph .phase-ready").waitFor();
  await page.keyboard.press("Escape");
  await line("broken").waitFor();
  assert.equal(await line("front").count(), 0);
  // An answer that says why is an error of the network to the browser's console, and none of the page's.
  const others = faults.filter((fault) => !fault.includes("the server responded with a status of"));
  faults.splice(0, faults.length, ...others);
  console.log("started");
}
