// Checks that tests run on a page. Each function returns a list of problems.

const name = e => e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") + (e.classList.length ? "." + [...e.classList].join(".") : "");
const shown = e => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length > 0;

// parse returns a computed colour as red, green, blue and alpha.
const parse = color => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return a === 0 ? [0, 0, 0, 0] : [r, g, b, a / 255];
};
const known = new Map();
const rgba = color => known.get(color) ?? known.set(color, parse(color)).get(color);
const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ratio = (a, b) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

// ground returns the colour behind an element.
const ground = e => {
  const layers = [];
  for (let at = e; at; at = at.parentElement) {
    const layer = rgba(getComputedStyle(at).backgroundColor);
    layers.push(layer);
    if (layer[3] === 1) break;
  }
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
};

// faint lists texts with a contrast below 4.5, and bars with one below 3.
const faint = () => {
  const wrong = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  for (let text; (text = walker.nextNode());) {
    const e = text.parentElement;
    if (!text.data.trim() || !shown(e) || ["SCRIPT", "STYLE", "CWDB-ACTION"].includes(e.tagName)) continue;
    texts++;
    const behind = ground(e), contrast = ratio(over(rgba(getComputedStyle(e).color), behind), behind);
    if (contrast < 4.5) wrong.push(`${name(e)} "${text.data.trim().slice(0, 40)}": ${contrast.toFixed(2)}`);
  }
  for (const bar of document.querySelectorAll("rect:not(.lh-bar-back)")) {
    const behind = ground(bar.closest("td")), contrast = ratio(over(rgba(getComputedStyle(bar).fill), behind), behind);
    if (contrast < 3) wrong.push(`${name(bar)}: ${contrast.toFixed(2)}`);
  }
  if (texts === 0) wrong.push("there is no text");
  return [...new Set(wrong)];
};

// overflowing lists elements that are wider than the window or their container.
const overflowing = () => {
  const wrong = [], width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) wrong.push(`the page is ${document.documentElement.scrollWidth} wide in ${width}`);
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!shown(e) || e.closest(".lh-hidden, .lh-skip, thead") || box.width === 0) continue;
    if (box.right > width + 0.5 || box.left < -0.5) wrong.push(`${name(e)} reaches from ${box.left} to ${box.right} in ${width}`);
    if (style.overflowX === "auto" && e.scrollWidth > e.clientWidth) wrong.push(`${name(e)} scrolls: ${e.scrollWidth} in ${e.clientWidth}`);
  }
  return wrong;
};

// markup lists elements and attributes that were injected into the page.
const markup = () => {
  const wrong = [];
  for (const e of document.querySelectorAll("script:not([src^=\"/console.js?\"]), iframe, object, embed, img, base, form[action^=http], svg svg")) wrong.push("an element " + name(e));
  for (const e of document.querySelectorAll("*")) {
    for (const a of e.attributes) {
      if (a.name.startsWith("on")) wrong.push(`${name(e)} has ${a.name}`);
      if (a.name === "style" && e !== document.body) wrong.push(`${name(e)} has a style`);
      if (["href", "src", "action"].includes(a.name) && /^\s*(javascript|data|vbscript):|ZgotmplZ/i.test(a.value)) wrong.push(`${name(e)} leads to ${a.value}`);
    }
  }
  if ("pwned" in window) wrong.push("a script ran: " + window.pwned);
  return wrong;
};

// focus describes the focused element, or returns "" if there is none.
const focus = () => {
  const e = document.activeElement;
  if (!e || e === document.body) return "";
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
    && ratio(rgba(style.outlineColor), ground(e.parentElement)) >= 3;
  const inside = box.width > 0 && box.top < innerHeight && box.bottom > 0 && box.left < innerWidth && box.right > 0;
  return [[...document.querySelectorAll("*")].indexOf(e), name(e), e.textContent.trim().slice(0, 40),
    ring ? "ring" : "no ring", inside ? "in sight" : "out of sight"].join("|");
};

// structure lists problems with headings, landmarks and tables.
const structure = () => {
  const wrong = [];
  const one = (selector, what) => {
    const n = document.querySelectorAll(selector).length;
    if (n !== 1) wrong.push(`${n} of ${what}`);
  };
  one("h1", "h1"), one("main", "main"), one("header", "header"), one("footer", "footer"), one("title", "title");
  let level = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
    const next = Number(h.tagName[1]);
    if (next > level + 1) wrong.push(`"${h.textContent}" is an ${h.tagName} under an H${level}`);
    level = next;
  }
  for (const nav of document.querySelectorAll("nav, [role=navigation]")) if (!nav.getAttribute("aria-label")) wrong.push("a nav without a name");
  for (const table of document.querySelectorAll("table:not(.lh-md table)")) {
    if (!table.getAttribute("aria-labelledby") && !table.getAttribute("aria-label")) wrong.push("a table without a name");
    const columns = table.querySelectorAll("thead th[scope=col]").length;
    for (const row of table.querySelectorAll("tbody tr")) {
      if (row.children.length !== columns) wrong.push(`a row of ${row.children.length} in ${columns} columns`);
      if (row.querySelectorAll("th[scope=row]").length !== 1) wrong.push("a row without a header");
    }
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), select")) if (!field.labels.length) wrong.push(`${name(field)} has no label`);
  for (const mark of document.querySelectorAll(".lh-mark")) if (!mark.textContent.trim()) wrong.push("a mark without a word");
  for (const time of document.querySelectorAll("time")) if (isNaN(Date.parse(time.dateTime)) || !time.textContent) wrong.push(`a time ${time.outerHTML}`);
  for (const ref of document.querySelectorAll("[aria-labelledby]")) if (!document.getElementById(ref.getAttribute("aria-labelledby"))) wrong.push(`${name(ref)} is labelled by nothing`);
  return wrong;
};
