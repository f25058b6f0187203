/* The card form, and what the bank asks for afterwards. Card numbers go to the payment processor, never to us. The words
   stand in the page, which is translated: billing/_card_error.html. */

const place = document.getElementById("card-error");
const WORDS = place?.dataset ?? {};

function words(error) {
  if (error instanceof TypeError) return WORDS.incomplete;
  return typeof error?.message === "string" && error.message ? error.message : WORDS.unreachable;
}

function processor(form) {
  if (typeof window.Stripe !== "function") throw new Error(WORDS.unreachable);
  return window.Stripe(form.dataset.publishableKey, { locale: document.documentElement.lang });
}

function show(message) {
  if (place) place.textContent = message;
}

function busy(button, isBusy) {
  if (!button) return;
  button.disabled = isBusy;
  if (isBusy) button.setAttribute("aria-busy", "true");
  else button.removeAttribute("aria-busy");
}

/* What the processor's field inside its frame should look like: our colours are out of its reach. */
function appearance() {
  const style = getComputedStyle(document.body);
  return { base: { color: style.color, fontSize: "16px", fontFamily: "system-ui, sans-serif" } };
}

/* Whether the stand-in's plain inputs are not filled in. The processor's own field, a frame, looks after itself. */
function isEmpty(container) {
  const inputs = [...container.querySelectorAll("input")];
  return inputs.length > 0 && inputs.slice(0, 4).some((input) => !input.value.trim());
}

/* The stand-in's plain inputs have a placeholder where a label should be. The processor's own field is a frame. */
function label(container) {
  const names = {
    number: [WORDS.number, "cc-number"],
    exp_month: [WORDS.month, "cc-exp-month"],
    exp_year: [WORDS.year, "cc-exp-year"],
    cvc: [WORDS.code, "cc-csc"],
    postal_code: [WORDS.postalCode, "postal-code"],
  };
  for (const input of container.querySelectorAll("input[placeholder]")) {
    const [name, kind] = names[input.placeholder] ?? [];
    if (!name) continue;
    input.setAttribute("inputmode", "numeric");
    input.setAttribute("autocomplete", kind);
    const words = document.createElement("label");
    input.replaceWith(words);
    words.append(name, input);
    const heading = container.querySelector(":scope > span");
    if (heading) heading.textContent = WORDS.rehearsal;
  }
}

async function clientSecret(form) {
  const response = await fetch(form.dataset.setupUrl, {
    method: "POST",
    headers: { "x-csrftoken": form.elements.csrfmiddlewaretoken.value, accept: "application/json" },
    credentials: "same-origin",
  });
  const answer = await response.json().catch(() => ({}));
  if (answer.location) {
    location.assign(answer.location);
    return new Promise(() => {});
  }
  if (!response.ok || !answer.client_secret) throw new Error(answer.error || WORDS.unreachable);
  return answer.client_secret;
}

function prepareCard(form) {
  const button = form.querySelector("[type=submit]");
  let stripe;
  let card;
  try {
    stripe = processor(form);
    card = stripe.elements().create("card", { style: appearance() });
    card.mount("#card-element");
    label(document.getElementById("card-element"));
    card.on("change", (event) => show(event?.error?.message ?? ""));
  } catch (error) {
    show(words(error));
    button.disabled = !form.elements.saved_card;
    return;
  }

  form.addEventListener("submit", async (event) => {
    if (form.elements.saved_card?.value) return; // a kept card needs no form at the processor
    event.preventDefault();
    if (button.disabled) return;
    if (isEmpty(document.getElementById("card-element"))) {
      show(WORDS.incomplete);
      return;
    }
    busy(button, true);
    show("");
    try {
      const secret = await clientSecret(form);
      const result = await stripe.confirmCardSetup(secret, { payment_method: { card } });
      if (result.error || !result.setupIntent) throw new Error(words(result.error));
      form.elements.setup_intent.value = result.setupIntent.id;
      form.submit();
    } catch (error) {
      show(words(error));
      busy(button, false);
    }
  });
}

/* The bank wants to see the buyer. Whatever comes of it, the server asks the processor and knows. */
function prepareAuthentication(form) {
  const button = form.querySelector("[type=submit]");
  let begun = false;

  async function authenticate() {
    if (begun) return;
    begun = true;
    busy(button, true);
    try {
      await processor(form).confirmCardPayment(form.dataset.clientSecret);
    } catch (error) {
      show(words(error));
    }
    form.submit();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    authenticate();
  });
  if (!("onClick" in form.dataset)) authenticate();
}

/* Back after paying: the page as the browser kept it says what is no longer true. */
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

const payForm = document.getElementById("pay-form");
if (payForm) prepareCard(payForm);

const authenticateForm = document.getElementById("authenticate-form");
if (authenticateForm) prepareAuthentication(authenticateForm);
