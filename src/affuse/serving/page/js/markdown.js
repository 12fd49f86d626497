/** A model card's Markdown as DOM nodes: headings, paragraphs, lists, tables, code, emphasis, links. No HTML passes. */

import { make } from "./dom.js";

/** @param {string} text @returns {Node[]} */
export function markdown(text) {
  const lines = text.split("\n");
  const found = [];
  while (lines.length) {
    const line = /** @type {string} */ (lines[0]);
    if (!line.trim()) lines.shift();
    else if (line.startsWith("```")) found.push(fence(lines));
    else if (/^#{1,6} /.test(line)) found.push(heading(/** @type {string} */ (lines.shift())));
    else if (/^\s*([-*]|\d+\.) /.test(line)) found.push(list(lines));
    else if (line.startsWith("|")) found.push(table(lines));
    else if (line.startsWith(">")) found.push(make("blockquote", {}, ...inline(gather(lines, one => one.startsWith(">")).map(one => one.replace(/^> ?/, "")).join(" "))));
    else found.push(make("p", {}, ...inline(gather(lines, one => !!one.trim() && !/^(#{1,6} |```|\||>|\s*[-*] )/.test(one)).join(" "))));
  }
  return found;
}

/** The lines at the front that are of a kind, at least one. @param {string[]} lines @param {(line: string) => boolean} fits @returns {string[]} */
function gather(lines, fits) {
  const taken = [/** @type {string} */ (lines.shift())];
  while (lines.length && fits(lines[0])) taken.push(/** @type {string} */ (lines.shift()));
  return taken;
}

/** @param {string[]} lines */
function fence(lines) {
  lines.shift();
  const code = [];
  while (lines.length && !lines[0].startsWith("```")) code.push(lines.shift());
  lines.shift();
  return make("pre", { tabindex: 0 }, make("code", {}, code.join("\n")));
}

/** Below the page's own headings. @param {string} line */
function heading(line) {
  const [marks, ...words] = line.split(" ");
  return make(`h${Math.min(6, marks.length + 2)}`, {}, ...inline(words.join(" ")));
}

/** @param {string[]} lines */
function list(lines) {
  const numbered = /^\s*\d+\. /.test(lines[0]);
  const items = /** @type {string[]} */ ([]);
  for (const line of gather(lines, one => /^\s*([-*]|\d+\.) /.test(one) || /^\s+\S/.test(one))) {
    if (/^\s*([-*]|\d+\.) /.test(line)) items.push(line.replace(/^\s*([-*]|\d+\.) /, ""));
    else items[items.length - 1] += ` ${line.trim()}`;
  }
  return make(numbered ? "ol" : "ul", {}, ...items.map(item => make("li", {}, ...inline(item))));
}

/** @param {string[]} lines */
function table(lines) {
  const rows = gather(lines, one => one.startsWith("|")).map(line => line.replace(/^\||\|\s*$/g, "").split("|").map(cell => cell.trim()));
  const ruled = rows.length > 1 && rows[1].every(cell => /^:?-+:?$/.test(cell));
  const body = ruled ? rows.slice(2) : rows;
  return make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table" }, make("table", {},
    ruled ? make("thead", {}, make("tr", {}, ...rows[0].map(cell => make("th", { scope: "col" }, ...inline(cell))))) : null,
    make("tbody", {}, ...body.map(row => make("tr", {}, ...row.map(cell => make("td", {}, ...inline(cell))))))));
}

/** @param {string} text @returns {(Node | string)[]} */
function inline(text) {
  const found = [];
  const pattern = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)\s]+)\)/g;
  let last = 0;
  for (const match of text.matchAll(pattern)) {
    found.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    if (match[1]) found.push(make("code", {}, match[1]));
    else if (match[2]) found.push(make("strong", {}, ...inline(match[2])));
    else if (match[3]) found.push(make("em", {}, match[3]));
    // a link of a card leads elsewhere, and only to the web
    else if (/^https?:\/\//.test(match[5])) found.push(make("a", { href: match[5], rel: "noopener noreferrer", target: "_blank" }, match[4]));
    else found.push(match[4]);
  }
  found.push(text.slice(last));
  return found.filter(part => part !== "");
}
