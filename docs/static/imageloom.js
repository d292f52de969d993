// What pages do: tabs, the switch between versions, and blocks of code that the keyboard can scroll.
// Without it, all tabs are shown, one below the other, and the version is a word.

"use strict";

const stored = {
  get(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  },
  set(name, value) {
    try { localStorage.setItem(name, value); } catch { /* a browser that keeps nothing */ }
  },
};

// Tabs

const labelOf = (tab) => tab.querySelector(":scope > .tab-label").textContent;

function choose(name, label, keep) {
  for (const tabs of document.querySelectorAll(".tabs")) {
    const choices = [...tabs.querySelectorAll(":scope > .tab-list > button")];
    if (tabs.dataset.name !== name || !choices.some((one) => one.textContent === label)) continue;
    for (const button of choices) {
      const chosen = button.textContent === label;
      button.setAttribute("aria-selected", chosen);
      button.tabIndex = chosen ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).hidden = !chosen;
    }
  }
  if (keep) stored.set(`tabs-${name}`, label);
}

function makeTabs(tabs, number) {
  const list = document.createElement("div");
  list.className = "tab-list";
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", tabs.dataset.name.replaceAll("-", " "));
  [...tabs.children].forEach((tab, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = labelOf(tab);
    button.id = `tab-${number}-${place}`;
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", `panel-${number}-${place}`);
    button.addEventListener("click", () => {
      const before = button.getBoundingClientRect().top;
      choose(tabs.dataset.name, button.textContent, true);
      scrollBy(0, button.getBoundingClientRect().top - before); // others above may have changed
    });
    tab.id = `panel-${number}-${place}`;
    tab.setAttribute("role", "tabpanel");
    tab.setAttribute("aria-labelledby", button.id);
    list.append(button);
  });
  list.addEventListener("keydown", (event) => {
    const buttons = [...list.children];
    const here = buttons.indexOf(document.activeElement);
    const last = buttons.length - 1;
    const there = { ArrowLeft: here ? here - 1 : last, ArrowRight: here < last ? here + 1 : 0, Home: 0, End: last }[event.key];
    if (there === undefined) return;
    event.preventDefault();
    buttons[there].focus();
    buttons[there].click();
  });
  tabs.prepend(list);
  tabs.classList.add("ready");
  const kept = stored.get(`tabs-${tabs.dataset.name}`);
  const labels = [...list.children].map((button) => button.textContent);
  choose(tabs.dataset.name, labels.includes(kept) ? kept : labels[0], false);
}

// A link, or a search in the page, may lead into a tab that is hidden.
function showWhatTheAddressNames() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const tab = target && target.closest(".tab[hidden]");
  if (!tab) return;
  choose(tab.parentElement.dataset.name, labelOf(tab), false);
  target.scrollIntoView();
}

document.querySelectorAll(".tabs").forEach(makeTabs);
showWhatTheAddressNames();
addEventListener("hashchange", showWhatTheAddressNames);

// What scrolls sideways can be reached by the keyboard, and what does not is no stop on its way.

const SCROLLS = "article pre, article .table-wrapper";
const seen = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
document.querySelectorAll(SCROLLS).forEach((one) => seen.observe(one));

// Buttons that copy have names, and not only pictures. They come when the page is loaded.

const named = new MutationObserver(() => {
  for (const button of document.querySelectorAll("button.copybtn:not([aria-label])")) {
    button.setAttribute("aria-label", "Copy this code");
  }
});
named.observe(document.body, { childList: true, subtree: true });
addEventListener("load", () => setTimeout(() => named.disconnect(), 5000));

// Versions lie beside one another: `../versions.json` lists them, the newest release first.

async function offerVersions() {
  const place = document.querySelector(".versions");
  const root = new URL(document.documentElement.dataset.content_root, location.href);
  if (!place || root.protocol === "file:") return; // nothing can be read there
  let versions;
  try {
    const answer = await fetch(new URL("../versions.json", root));
    versions = answer.ok ? await answer.json() : [];
  } catch { return; }
  const here = root.pathname.split("/").at(-2);
  if (!versions.some((one) => one.folder === here)) return;
  const choice = place.querySelector("select");
  for (const { folder, title } of versions) {
    choice.append(new Option(title, folder, folder === here, folder === here));
  }
  choice.hidden = versions.length < 2;
  place.querySelector(".version").hidden = !choice.hidden;
  choice.addEventListener("change", async () => {
    const there = new URL(`../${choice.value}/`, root);
    const same = new URL(location.href.slice(root.href.length), there);
    const answer = await fetch(same, { method: "HEAD" }).catch(() => null);
    location.assign(answer && answer.ok ? same : there);
  });
  const preferred = versions.find((one) => one.preferred);
  if (preferred && preferred.folder !== here) warnOf(preferred, root);
}

function warnOf(preferred, root) {
  const note = document.createElement("p");
  note.className = "other-version";
  const link = document.createElement("a");
  link.href = new URL(`../${preferred.folder}/`, root);
  link.textContent = preferred.title;
  note.append("These pages are of another version than the newest release, ", link, ".");
  document.querySelector("article").prepend(note);
}

offerVersions();
