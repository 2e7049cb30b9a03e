// Copy buttons, history and refreshing. Without JavaScript the buttons stay hidden; users select the text instead.

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  const text = field ? field.value : button.dataset.copyText;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    fallBack(text);
  }
  announce(button);
}

// navigator.clipboard exists only on https and localhost.
function fallBack(text) {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function announce(button) {
  const before = button.innerHTML;
  button.textContent = "Copied";
  button.setAttribute("aria-live", "polite");
  button.disabled = true;
  setTimeout(() => {
    button.innerHTML = before;
    button.disabled = false;
    button.focus();
  }, 1500);
}

for (const button of document.querySelectorAll("[data-copy], [data-copy-text]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}

// A page that is shown once cannot be loaded again: going back leads to the page that it names.
const once = document.querySelector("[data-once]");
if (once) {
  history.replaceState(null, "", once.dataset.once);
}

// The overview loads itself again, unless the reader is using it.
const live = document.querySelector("[data-refresh]");
if (live) {
  setInterval(() => {
    const isIdle = document.activeElement === document.body && getSelection().isCollapsed;
    if (isIdle && !document.querySelector("details[open]")) {
      location.reload();
    }
  }, live.dataset.refresh * 1000);
}
