/* What a page needs a browser for. Everything works without it; with it, it is quicker. Words stand in the page, which is
   translated. */

/* The server writes times in the zone of the profile, else in the one that this cookie names. Until it knows, in UTC. */
function tellTimeZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  // As the settings name it: over HTTPS for this very host alone.
  const [before, secure] = location.protocol === "https:" ? ["__Host-", "; secure"] : ["", ""];
  const cookie = `${before}timezone=${zone}`;
  if (!zone || document.cookie.split("; ").includes(cookie)) return;
  document.cookie = `${cookie}; path=/; max-age=31536000; samesite=lax${secure}`;
  for (const named of document.querySelectorAll("input[name=tz][data-browsers][value=UTC]")) turnClocks(named, zone);
}

/* The forms of that first page are turned to the browser's own clock, as those of the next will be. */
function turnClocks(named, zone) {
  const boxes = [...named.form.elements].filter((box) => box.type === "datetime-local" && box.value);
  const meant = boxes.map((box) => new Date(`${box.value}Z`));
  const turned = meant.map((at) => new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16));
  // An hour that comes twice would be read as the first of the two: then the form stays as it is.
  if (turned.some((words, place) => Date.parse(words) !== meant[place].getTime())) return;
  boxes.forEach((box, place) => { box.value = turned[place]; });
  named.value = zone;
  for (const words of named.form.querySelectorAll("[data-zone]")) words.textContent = zone;
}

/* Things that only work with a script are hidden until there is one. */
function reveal(root) {
  for (const button of root.querySelectorAll("[data-copy][hidden], [data-dismiss][hidden]")) button.hidden = false;
}

async function copy(button) {
  const words = button.querySelector("[data-copy-words]") ?? button;
  const before = (button.dataset.copyBefore ??= words.textContent);
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    words.textContent = button.dataset.copied;
    announce(button.dataset.copied);
  } catch {
    // No permission, or an insecure origin: select it, so that one keystroke is left to do.
    const text = button.parentElement.querySelector("code");
    if (text) getSelection().selectAllChildren(text);
    words.textContent = button.dataset.copyByHand;
  }
  setTimeout(() => { words.textContent = before; }, 2000);
}

function announce(words) {
  let place = document.getElementById("announcements");
  if (!place) {
    place = document.createElement("p");
    place.id = "announcements";
    place.className = "visually-hidden";
    place.setAttribute("role", "status");
    document.body.append(place);
  }
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = words; });
}

/* "14 minutes 20 seconds", as the server writes it in the language of the page: the largest unit and the next. */
function spell(seconds) {
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const counted = units.map(([name, size]) => {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    return [count, name];
  });
  const first = counted.findIndex(([count]) => count > 0);
  const said = first < 0 ? counted.slice(-1) : counted.slice(first, first + 2).filter(([count]) => count > 0);
  return said.map(([count, unit]) => written(count, unit)).join(" ");
}

function written(count, unit) {
  const style = { style: "unit", unit, unitDisplay: "long", useGrouping: false };
  return new Intl.NumberFormat(document.documentElement.lang, style).format(count);
}

/* <time data-countdown>: counts down; at nothing, a page that says data-reload asks the server what is next. */
function tick() {
  for (const clock of document.querySelectorAll("time[data-countdown]")) {
    const left = Math.ceil((Date.parse(clock.dateTime) - Date.now()) / 1000);
    const words = spell(Math.max(left, 0));
    if (clock.textContent !== words) clock.textContent = words;
    if (left <= 0 && "reload" in clock.dataset) {
      delete clock.dataset.reload;
      setTimeout(() => location.reload(), 1500);
    }
  }
}

/* Browsers that do not know command= and commandfor= yet. */
function command(button) {
  if ("command" in HTMLButtonElement.prototype) return;
  const dialog = document.getElementById(button.getAttribute("commandfor"));
  if (button.getAttribute("command") === "show-modal") dialog?.showModal();
  if (button.getAttribute("command") === "close") dialog?.close();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("copy" in button.dataset) copy(button);
  if ("dismiss" in button.dataset) button.closest(".toast")?.remove();
  if (button.hasAttribute("commandfor")) command(button);
});

/* The switcher in the header closes like a menu: by a click elsewhere, and by Escape. */
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll(".switcher[open]")) if (!open.contains(event.target)) open.open = false;
});
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector(".switcher[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-autosubmit]")) event.target.form?.requestSubmit();
});

/* A form that was sent is not sent again by an impatient second click. After a while it may be: the answer may have
   been a file, and the page is still here. */
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.hasAttribute("hx-post")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  setTimeout(rest, 8000);
  event.submitter?.setAttribute("aria-busy", "true");
});

function rest() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("button[aria-busy]")) button.removeAttribute("aria-busy");
  }
}

/* Coming back to a page with the back button, its forms can be sent again. */
addEventListener("pageshow", (event) => { if (event.persisted) rest(); });

document.addEventListener("htmx:load", (event) => reveal(event.target));

/* A part that asks for itself again keeps open what its reader has opened. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const opened = [...event.target.querySelectorAll("details[id][open]")].map((details) => details.id);
  if (!opened.length) return;
  document.addEventListener("htmx:afterSettle", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  }, { once: true });
});

/* On a telephone tabs are a strip that is wider than the page: the one that one is on stands in its middle. */
function showCurrentTab(strip) {
  const tab = strip.querySelector("[aria-current]");
  if (!tab) return;
  const [frame, place] = [strip.getBoundingClientRect(), tab.getBoundingClientRect()];
  strip.scrollLeft += place.left - frame.left - (frame.width - place.width) / 2;
}

tellTimeZone();
reveal(document);
document.querySelectorAll(".tabs").forEach(showCurrentTab);
tick();
setInterval(tick, 1000);
document.querySelector("[data-focus]")?.focus();
for (const toast of document.querySelectorAll(".toast.success, .toast.info")) setTimeout(() => toast.remove(), 12000);
