// Shows times in the reader's time zone. Without JavaScript they stay in UTC.

const FORMS = {
  row: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" },
  long: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
};

for (const time of document.querySelectorAll("time[data-local]")) {
  time.textContent = new Date(time.dateTime).toLocaleString("en-GB", FORMS[time.dataset.local]);
}
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
