"use strict";
// The page is whole without this script; the controls it serves stay hidden until it runs.
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const systemDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
  const nameTheme = () => {
    const other = isDark() ? "light" : "dark";
    theme.textContent = other === "dark" ? "Dark" : "Light";
    theme.setAttribute("aria-label", `Switch to the ${other} colours`);
  };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  systemDark.addEventListener("change", nameTheme);
  theme.hidden = false;
  nameTheme();

  const filters = document.querySelector(".filters");
  if (!filters) return;
  const buttons = [...filters.querySelectorAll("button")];
  const cards = [...document.querySelectorAll(".card")];
  const show = (wanted) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.show === wanted));
    for (const card of cards) card.hidden = wanted !== "all" && !card.dataset.right.split(" ").includes(wanted);
    const numShown = cards.filter((card) => !card.hidden).length;
    document.getElementById("shown").textContent = `${numShown} of ${cards.length} images shown`;
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.show));
  filters.hidden = false;
})();
