// One line of a log as text: its time dim, its colours the page's own, nothing of it markup.

import { el, visible } from "./dom.js";

/** Colours and what else terminals are told. */
const ANSI = /\u001b\[([0-9;]*)m|\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;
const TIME = /^\[?(\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d([.,]\d+)?Z?\]?\s/;
/** The page's tones for a terminal's colours; all others are written as plain text. */
const TONES = {
  31: "tone-unhealthy",
  91: "tone-unhealthy",
  32: "tone-ready",
  92: "tone-ready",
  33: "tone-backoff",
  93: "tone-backoff",
  2: "dim",
  90: "dim",
};

/** A line as text; colours become the page's own, or nothing. */
export function logLine(text) {
  const line = el("div.log-line");
  if (text.startsWith("styxy: ")) line.classList.add("own");
  const time = TIME.exec(text);
  if (time) line.append(el("span.time", {}, visible(time[0])));
  appendColoured(line, time ? text.slice(time[0].length) : text);
  // A line without anything on it is as high as the others.
  if (!line.childNodes.length) line.append("\u00a0");
  return line;
}

/** The tone after a colour's numbers: bold and the like keep it; a colour out of 256, or mixed, has no tone. */
function toneAfter(tone, numbers) {
  let next = tone;
  for (let at = 0; at < numbers.length; at++) {
    const number = numbers[at];
    if (number === 38 || number === 48) {
      if (number === 38) next = "";
      at += numbers[at + 1] === 2 ? 4 : 2;
    } else if (TONES[number]) next = TONES[number];
    else if (number === 0 || (number >= 30 && number <= 39) || number >= 90) next = "";
  }
  return next;
}

function appendColoured(line, text) {
  let tone = "";
  let from = 0;
  const add = (to) => {
    const part = visible(text.slice(from, to).replaceAll("\t", "    "));
    if (part) line.append(tone ? el(`span.${tone}`, {}, part) : part);
  };
  for (const code of text.matchAll(ANSI)) {
    add(code.index);
    from = code.index + code[0].length;
    if (code[1] !== undefined) tone = toneAfter(tone, code[1].split(";").map(Number));
  }
  add(text.length);
}
