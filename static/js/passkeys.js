/* Passkeys (WebAuthn). A form says what it wants: <form data-passkey="create | get | sign-in"> with a field named
   credential. What the server offers stands in <script type="application/json" id="passkey-options">; before a sign-in it is
   asked for at the form's own address. Sentences stand in the page: [data-passkey-without], shown where a browser has no
   passkeys, and [data-passkey-failed] in the form. */

const HAS_PASSKEYS = "PublicKeyCredential" in window && "credentials" in navigator;

function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/* What the server wrote in letters, as the browser wants it: bytes. */
function readable({ publicKey }) {
  const named = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  const read = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (publicKey.user) read.user = { ...publicKey.user, id: bytes(publicKey.user.id) };
  if (publicKey.excludeCredentials) read.excludeCredentials = named(publicKey.excludeCredentials);
  if (publicKey.allowCredentials) read.allowCredentials = named(publicKey.allowCredentials);
  return read;
}

/* And back: what a browser answers, in letters. */
function written(credential) {
  const { response } = credential;
  const answer = { clientDataJSON: text(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) answer[name] = text(response[name]);
  }
  if (response.getTransports) answer.transports = response.getTransports();
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: answer,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

function offered() {
  return JSON.parse(document.getElementById("passkey-options").textContent);
}

const ASK = {
  async create(form) {
    const publicKey = readable(offered().creation_options);
    const alone = form.elements.passwordless;
    if (alone) {
      // To sign in with it alone, the device has to keep it, and to see a finger, a face or a PIN.
      publicKey.authenticatorSelection = {
        ...publicKey.authenticatorSelection,
        residentKey: alone.checked ? "required" : "discouraged",
        requireResidentKey: alone.checked,
        ...(alone.checked ? { userVerification: "required" } : {}),
      };
    }
    return navigator.credentials.create({ publicKey });
  },

  async get() {
    return navigator.credentials.get({ publicKey: readable(offered().request_options) });
  },

  async "sign-in"(form) {
    const answer = await fetch(form.action, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.url}`);
    return navigator.credentials.get({ publicKey: readable((await answer.json()).request_options) });
  },
};

async function submit(form) {
  const failed = form.querySelector("[data-passkey-failed]");
  failed.hidden = true;
  form.setAttribute("aria-busy", "true");
  try {
    form.elements.credential.value = JSON.stringify(written(await ASK[form.dataset.passkey](form)));
    form.submit();
  } catch {
    // Called off by the person, no fitting key at hand, or the wait was too long: browsers do not say which.
    failed.hidden = false;
    form.removeAttribute("aria-busy");
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !HAS_PASSKEYS;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!form.hasAttribute("aria-busy")) submit(form);
  });
}
for (const note of document.querySelectorAll("[data-passkey-without]")) note.hidden = HAS_PASSKEYS;
