// Shows times in the reader's time zone. Without JavaScript they stay in UTC.

const FORMS = {
  day: { day: "numeric", month: "short", year: "numeric" },
  row: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  long: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
};

for (const time of document.querySelectorAll("time[data-local]")) {
  time.textContent = new Date(time.dateTime).toLocaleString("en-GB", FORMS[time.dataset.local]);
}

// Times within text are written like "31 January 2026, 12:00 UTC".
const MOMENT = /\b(\d{1,2} [A-Z][a-z]+ \d{4}), (\d\d:\d\d UTC)\b/g;
const localised = (text) =>
  text.replace(MOMENT, (found, day, time) => {
    const moment = new Date(`${day} ${time}`);
    return isNaN(moment) ? found : moment.toLocaleString("en-GB", { ...FORMS.long, timeZoneName: "short" });
  });
const texts = document.createTreeWalker(document.getElementById("content"), NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const text = texts.currentNode;
  if (text.data.includes(" UTC") && !text.parentElement.closest("code, pre")) {
    text.parentElement.title ||= text.parentElement.matches("time") ? text.data : "";
    text.data = localised(text.data);
  }
}
for (const bar of document.querySelectorAll(".chart a")) bar.ariaLabel = localised(bar.ariaLabel);

for (const note of document.querySelectorAll("[data-zone]")) {
  note.textContent = `Times are in your time zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`;
}

// Dates in forms are local to the reader, and UTC in the URL.
for (const note of document.querySelectorAll("[data-utc]")) note.remove();
for (const field of document.querySelectorAll('input[type="datetime-local"]')) {
  if (field.value) {
    const moment = new Date(`${field.value}Z`);
    field.value = new Date(moment - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  }
  field.form.addEventListener("formdata", (event) => {
    if (field.value) event.formData.set(field.name, new Date(field.value).toISOString().slice(0, 16));
  });
}

// On a narrow screen the filter is folded until it is used.
const filter = document.querySelector("details.filter");
if (filter && matchMedia("(max-width: 60rem)").matches) filter.open = false;
