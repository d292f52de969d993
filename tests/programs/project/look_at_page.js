// What a page looks like at one width and in one theme: what is wider than its place, and what axe finds.
// It is run in the page after axe itself. `window.found` has the result.
window.found = null;
(async (contrastAlone) => {
  const name = (one) => one.outerHTML.slice(0, 160);
  const column = document.querySelector("article").getBoundingClientRect();
  const shown = (one) => one.checkVisibility();
  const within = (one) => one.parentElement.closest("pre, .table-wrapper, .highlight");
  // What sticks out, unless it is within something that scrolls for itself.
  const wide = [...document.querySelectorAll("article table, article img, article svg, article pre, article .tabs, article p, article dl, article li")]
    .filter((one) => shown(one) && !within(one))
    .filter((one) => one.getBoundingClientRect().right > column.right + 1)
    .map(name);
  // Only code may scroll sideways.
  const scrolling = [...document.querySelectorAll("article *")]
    .filter((one) => shown(one) && !["PRE", "SELECT"].includes(one.tagName) && one.scrollWidth > one.clientWidth + 1)
    .filter((one) => ["auto", "scroll"].includes(getComputedStyle(one).overflowX))
    .map(name);
  // Contrast takes axe long, and words of the same colours, ground and size have the same: one of each is enough.
  const groundOf = (one) => {
    for (; one; one = one.parentElement) {
      const { backgroundColor, backgroundImage } = getComputedStyle(one);
      if (backgroundColor !== "rgba(0, 0, 0, 0)" || backgroundImage !== "none") return backgroundColor;
    }
    return "";
  };
  const looks = new Map();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const one = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !shown(one)) continue;
    const { color, fontSize, fontWeight, opacity } = getComputedStyle(one);
    const look = [color, fontSize, fontWeight, opacity, groundOf(one)].join();
    if (!looks.has(look)) looks.set(look, one);
  }
  const contrast = await axe.run([...looks.values()], { runOnly: { type: "rule", values: ["color-contrast"] } });
  const others = contrastAlone ? { violations: [] }
    : await axe.run(document, { rules: { "color-contrast": { enabled: false } }, resultTypes: ["violations"] });
  window.found = {
    page: document.documentElement.scrollWidth - innerWidth,
    wide,
    scrolling,
    broken: [...document.images].filter((one) => one.complete && !one.naturalWidth).map(name),
    looks: looks.size,
    axe: [...contrast.violations, ...others.violations].map(({ id, nodes }) => [id, nodes.length, ...nodes.slice(0, 4).map((one) =>
      `${one.html.slice(0, 160)} ${(one.any[0] ?? one.all[0] ?? one.none[0])?.message ?? ""}`)]),
  };
})(CONTRAST_ALONE).catch((error) => { window.found = { error: String(error) }; });
