// What the console adds where scripts run: buttons that copy commands, and keys. Every
// page works without it.
"use strict";

// copyable gives the element a button that copies its text.
function copyable(element) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "lh-copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the command");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(element.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  element.after(button);
  element.parentElement.classList.add("lh-copyable");
}

// step moves the focus to the next or previous item of the page.
function step(by) {
  const items = [...document.querySelectorAll("[data-item] a[href]")].filter((a, i, all) =>
    i === 0 || a.closest("[data-item]") !== all[i - 1].closest("[data-item]"));
  if (items.length === 0) {
    return;
  }
  const here = document.activeElement && document.activeElement.closest("[data-item]");
  const at = items.findIndex((a) => a.closest("[data-item]") === here);
  const next = items[at < 0 ? (by > 0 ? 0 : items.length - 1) : Math.min(Math.max(at + by, 0), items.length - 1)];
  next.focus();
  next.closest("[data-item]").scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) {
    return;
  }
  switch (event.key) {
    case "/": {
      const box = document.getElementById("lh-q");
      if (!box) {
        return;
      }
      box.focus();
      box.select();
      break;
    }
    case "j":
      step(1);
      break;
    case "k":
      step(-1);
      break;
    default:
      return;
  }
  event.preventDefault();
});

document.querySelectorAll(".lh-cmd").forEach(copyable);
document.querySelectorAll(".lh-keys").forEach((hint) => { hint.hidden = false; });
