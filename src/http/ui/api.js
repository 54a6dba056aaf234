// The way to the server: a session's token in memory, requests, and the stream of events.

let token = null;

/** What the server says against a request, and what to do now. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.error ?? `the server answered ${status}`);
    this.status = status;
    this.hint = body.hint ?? null;
    this.kind = body.kind ?? null;
    this.instance = body.instance ?? null;
  }
}

/** Swaps the code of the address for a session. Without a good one there is no way in. */
export async function enter() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) {
    history.replaceState(null, "", `${location.pathname}#/`);
    const answer = await fetch("/session", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code }),
    });
    if (answer.ok) token = (await answer.json()).token;
  }
  return token !== null;
}

/** A request; throws what the server says against it. */
export async function ask(method, path, body) {
  const headers = { authorization: `Bearer ${token}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const answer = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    told = { error: text };
  }
  if (!answer.ok) throw new Refused(answer.status, told);
  return told;
}

/** A request that changes nothing. */
export const get = (path) => ask("GET", path);
/** A name as a part of a path. */
export const named = (reference) => encodeURIComponent(reference);

/** Reads events until the stream ends or is aborted. */
export async function follow(path, signal, tell) {
  const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` }, signal });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  tell("open", null);
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    let end;
    while ((end = rest.indexOf("\n\n")) >= 0) {
      const block = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name) tell(name, JSON.parse(data));
    }
  }
}
