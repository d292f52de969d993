// The page of `imageloom browse`. All texts from the data set go through textContent; the policy of the
// server (Content-Security-Policy) would refuse anything else.
"use strict";

const FILES_OF_A_PAGE = 60;
const MILLISECONDS_BETWEEN_LOOKS = 700;

const found = (id) => document.getElementById(id);

/** Makes an element with attributes and children, which are elements or texts. */
function made(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const counted = (count, noun, nouns = `${noun}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? noun : nouns}`;

/** Asks the server; a refusal is shown at the top of the page. */
async function asked(path, fields = {}, options = {}) {
  let response;
  try {
    response = await fetch(`${path}?${new URLSearchParams(fields)}`, options);
  } catch (error) {
    if (error.name !== "AbortError") trouble("imageloom browse has ended: start it again.");
    throw error;
  }
  if (!response.ok) {
    const text = await response.text();
    trouble(text);
    throw new Error(text);
  }
  trouble("");
  return response;
}

const json = async (...request) => (await asked(...request)).json();

function trouble(text) {
  found("trouble").textContent = text;
  found("trouble").hidden = !text;
}

// What fails was told by `asked` already.
const quietly = (promise) => promise.catch(() => undefined);

// Views ------------------------------------------------------------------------------------------

const tabs = [...document.querySelectorAll('[role="tab"]')];

function show(view) {
  for (const tab of tabs) {
    const chosen = tab.getAttribute("aria-controls") === view;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    found(tab.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (view === "augmentation") redraw();
}

for (const [place, tab] of tabs.entries()) {
  tab.addEventListener("click", () => show(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = tabs[(place + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}

// Pictures ---------------------------------------------------------------------------------------

/** An image of some bytes. Small ones are enlarged with hard edges, so that their pixels are seen. */
async function pictureOf(blob, text) {
  const image = made("img", { alt: text });
  const address = URL.createObjectURL(blob);
  image.src = address;
  try {
    await image.decode();
  } finally {
    URL.revokeObjectURL(address);
  }
  if (Math.max(image.naturalWidth, image.naturalHeight) <= 64) image.className = "small";
  return image;
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

// Thumbnails are asked for when they come into sight.
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    sight.unobserve(target);
    quietly(fill(target));
  }
}, { rootMargin: "300px" });

let leaving = new AbortController(); // aborts requests for a page that is no longer shown

async function fill(frame) {
  const { number, text } = frame.dataset;
  const response = await asked("thumbnail", { number }, { signal: leaving.signal });
  if (response.headers.get("Content-Type") === "application/json") {
    const { error } = await response.json();
    frame.replaceChildren(made("span", { class: "bad" }, `Cannot be read: ${error}`));
  } else {
    frame.replaceChildren(await pictureOf(await response.blob(), text));
  }
}

// Images -----------------------------------------------------------------------------------------

let set = { images: 0, classes: [] };
let chosen = { title: "All images", fields: {} };
let start = 0;
let total = 0;
let file = 0; // the image in the view "Augmentation"

const described = (one) => (one.class ? `${one.name}, class ${one.class}` : one.name);

async function showFiles() {
  leaving.abort();
  leaving = new AbortController();
  sight.disconnect();
  const answer = await json("files", { ...chosen.fields, start, count: FILES_OF_A_PAGE },
    { signal: leaving.signal });
  total = answer.total;
  const pages = Math.max(1, Math.ceil(total / FILES_OF_A_PAGE));
  found("shown-title").textContent = chosen.title;
  found("page").value = start / FILES_OF_A_PAGE + 1;
  found("page").max = pages;
  found("previous").disabled = start === 0;
  found("next").disabled = start + FILES_OF_A_PAGE >= total;
  const last = Math.min(start + FILES_OF_A_PAGE, total);
  found("position").textContent = total
    ? `${(start + 1).toLocaleString("en")}–${last.toLocaleString("en")} of ${counted(total, "image")}`
    : "no images";
  found("grid").replaceChildren(...answer.files.map(tile));
  for (const [position, button] of [...document.querySelectorAll("#classes button")].entries()) {
    const isShown = button.dataset.number === (chosen.fields.class ?? "") && !chosen.fields.finding;
    button.setAttribute("aria-pressed", isShown);
  }
}

function tile(one) {
  const frame = made("div",
    { class: "picture", "data-number": one.number, "data-text": described(one) });
  const button = made("button", { title: "Show augmented versions" },
    frame, made("span", {}, one.name));
  button.addEventListener("click", () => {
    file = one.number;
    show("augmentation");
    found("tab-augmentation").focus();
  });
  sight.observe(frame);
  return made("li", {}, button);
}

function choose(title, fields) {
  chosen = { title, fields };
  start = 0;
  quietly(showFiles());
}

function turn(page) {
  const pages = Math.max(1, Math.ceil(total / FILES_OF_A_PAGE));
  start = (Math.min(Math.max(1, Math.trunc(page) || 1), pages) - 1) * FILES_OF_A_PAGE;
  quietly(showFiles());
}

found("previous").addEventListener("click", () => turn(start / FILES_OF_A_PAGE));
found("next").addEventListener("click", () => turn(start / FILES_OF_A_PAGE + 2));
found("page").addEventListener("change", (event) => turn(Number(event.target.value)));

function showClasses() {
  const most = Math.max(1, ...set.classes.map((one) => one.count));
  const row = (title, number, count) => {
    const text = made("span", {}, title);
    const button = made("button", { "data-number": number, "aria-pressed": number === "" }, text,
      made("span", { class: "faint" }, count.toLocaleString("en")));
    if (number !== "") {
      button.append(made("meter", { max: most, value: count, "aria-hidden": "true" }));
    }
    const fields = number === "" ? {} : { class: number };
    button.addEventListener("click", () => choose(number === "" ? title : `Class ${title}`, fields));
    return made("li", { "data-name": title.toLowerCase() }, button);
  };
  found("classes").replaceChildren(
    row("All images", "", set.images),
    ...set.classes.map((one, number) => row(one.name, String(number), one.count)),
  );
}

found("class-filter").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  for (const [place, row] of [...found("classes").children].entries()) {
    row.hidden = place > 0 && !row.dataset.name.includes(wanted);
  }
});

// Findings ---------------------------------------------------------------------------------------

async function watchFindings() {
  for (;;) {
    const state = await json("findings");
    showFindings(state);
    if (state.done) return;
    await new Promise((resolve) => setTimeout(resolve, MILLISECONDS_BETWEEN_LOOKS));
  }
}

function showFindings(state) {
  const bar = found("progress");
  bar.max = Math.max(1, state.images);
  bar.value = state.examined;
  bar.hidden = state.done;
  found("progress-text").textContent = state.error || (!state.wanted
    ? "Files were not read: imageloom browse was started with --no-inspect."
    : state.done
      ? `${counted(state.images, "image")} examined.`
      : `${state.examined.toLocaleString("en")} of ${counted(state.images, "image")} examined.`);
  found("findings-badge").textContent = `(${state.remarks.length}${state.done ? "" : " ..."})`;
  const details = [...found("remarks").querySelectorAll("details[open]")];
  const open = new Set(details.map((one) => one.dataset.title));
  const nothing = state.done && state.wanted && !state.error ? [made("p", {}, "Nothing unusual.")] : [];
  found("remarks").replaceChildren(
    ...(state.remarks.length ? state.remarks.map((one) => remark(one, open)) : nothing));
  found("counts").replaceChildren(...Object.entries(state.counts).map(tableOf));
}

function tableOf([title, counts]) {
  const row = ([name, count]) => made("tr", {}, made("th", { scope: "row" }, name),
    made("td", {}, count.toLocaleString("en")));
  return made("table", {}, made("caption", {}, title),
    made("tbody", {}, ...Object.entries(counts).map(row)));
}

function remark(one, open) {
  const text = one.title[0].toUpperCase() + one.title.slice(1);
  const title = one.count ? `${text} (${one.count.toLocaleString("en")})` : text;
  if (!one.count) return made("p", {}, title);
  const left = one.count - one.entries.length;
  const details = made("details", { "data-title": one.title }, made("summary", {}, title),
    made("ul", {}, ...one.entries.map((text) => made("li", {}, text))));
  if (left > 0) details.append(made("p", { class: "faint" }, `and ${left.toLocaleString("en")} more`));
  if (one.files) {
    const button = made("button", {}, `Show ${counted(one.files, "image")}`);
    button.addEventListener("click", () => {
      choose(title, { finding: one.title });
      show("images");
      found("tab-images").focus();
    });
    details.append(button);
  }
  details.open = open.has(one.title);
  return details;
}

// Augmentation -----------------------------------------------------------------------------------

function showControls() {
  for (const one of set.sliders) {
    const input = made("input", {
      type: "range", id: one.name, name: one.name, min: one.low, max: one.high, step: one.step,
      value: one.default, "aria-describedby": `${one.name}-hint`,
    });
    found("controls").append(made("div", { class: "control" },
      made("label", { for: one.name }, one.label),
      made("output", { for: one.name, id: `${one.name}-value` }, String(one.default)),
      input, made("span", { class: "faint", id: `${one.name}-hint` }, one.hint)));
  }
  for (const one of set.switches) {
    found("controls").append(made("div", { class: "control flag" },
      made("input", { type: "checkbox", id: one.name, name: one.name, value: "true" }),
      made("label", { for: one.name }, one.label)));
  }
  for (const one of set.choices) {
    found("controls").append(made("div", { class: "control" },
      made("label", { for: one.name }, one.label),
      made("select", { id: one.name, name: one.name },
        ...one.values.map((value) => made("option", { value }, value)))));
  }
}

const form = found("settings");
form.addEventListener("input", redraw);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(redraw)); // after the values have changed

// One request at a time; what changes meanwhile is asked for afterwards, and only the last of it.
let drawing = false;
let outdated = false;

async function redraw() {
  for (const one of set.sliders) found(`${one.name}-value`).textContent = found(one.name).value;
  outdated = true;
  if (drawing) return;
  drawing = true;
  try {
    while (outdated) {
      outdated = false;
      found("versions").classList.add("stale");
      const fields = { number: file, ...Object.fromEntries(new FormData(form)) };
      await showVersions(await json("versions", fields));
    }
  } catch {
    outdated = false;
  } finally {
    drawing = false;
  }
}

async function showVersions(answer) {
  found("file-before").disabled = file === 0;
  found("file-after").disabled = file + 1 >= set.images;
  const failed = answer.error ?? "";
  found("notice").textContent = failed ? `This cannot be shown: ${failed}` : answer.notice;
  found("notice").className = failed ? "bad" : "faint";
  if (answer.file) found("file-name").textContent = described(answer.file);
  if (answer.code) found("code").textContent = answer.code;
  const name = answer.file ? described(answer.file) : "";
  const pictures = failed ? [] : [
    { picture: answer.original, drawn: ["as it is read"], text: `${name}, as it is read` },
    ...answer.versions.map((one, place) =>
      ({ ...one, text: `Version ${place + 1}: ${one.drawn.join(", ")}` })),
  ];
  const figures = await Promise.all(pictures.map(async ({ picture, drawn, text }) =>
    made("figure", {}, await pictureOf(new Blob([bytesOf(picture)], { type: "image/png" }), text),
      made("figcaption", {}, drawn.join(", ")))));
  found("versions").replaceChildren(...figures);
  found("versions").classList.remove("stale");
  found("notes").replaceChildren(...(answer.notes ?? []).map((note) => made("li", {}, note)));
  found("copied").textContent = "";
}

function step(by) {
  file = Math.min(Math.max(0, file + by), set.images - 1);
  redraw();
}

found("file-before").addEventListener("click", () => step(-1));
found("file-after").addEventListener("click", () => step(1));

found("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(found("code").textContent);
    found("copied").textContent = "Copied.";
  } catch { // the browser does not allow it
    getSelection().selectAllChildren(found("code"));
    found("copied").textContent = "Selected: press Ctrl-C.";
  }
});

// Start ------------------------------------------------------------------------------------------

async function begin() {
  set = await json("set");
  document.title = `${set.place} – imageloom browse`;
  found("place").textContent = set.place;
  const ofClasses = set.classes.length ? ` of ${counted(set.classes.length, "class", "classes")}` : "";
  found("summary").textContent = `${counted(set.images, "image")}${ofClasses}`;
  showClasses();
  showControls();
  quietly(watchFindings());
  await showFiles();
}

quietly(begin());
