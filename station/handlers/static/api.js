// The interface: sends what the form says with the person's login, and shows what came back.

const SHOWN_MAX = 200_000; // Characters of an answer; more of them make the page slow.

const form = document.getElementById("call");
const answer = document.getElementById("answer");
let saved = null; // The address of the file that came last.

// What the form says as a request: its address, its body, and the header that names the body's kind.
function request() {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("[data-place]")) {
    const value = field.value.trim();
    if (field.dataset.place === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    if (field.dataset.place !== "query" || !value) continue;
    const values = field.dataset.kind === "array" ? value.split(",") : [value];
    for (const each of values) query.append(field.name, each.trim());
  }
  const text = query.toString();
  return { address: path + (text ? `?${text}` : ""), ...bodyOf() };
}

function bodyOf() {
  const fields = form.querySelectorAll("[data-place=form]");
  if (fields.length) {
    const body = new FormData();
    for (const field of fields) body.append(field.name, field.type === "file" ? (field.files[0] ?? "") : field.value);
    return { body, headers: {} };
  }
  const body = form.querySelector("#body")?.value;
  return body === undefined ? { headers: {} } : { body, headers: { "Content-Type": "application/json" } };
}

// Says what is wrong with a body that is no JSON.
function isSound() {
  const field = form.querySelector("#body");
  if (!field) return true;
  let wrong = "";
  try {
    JSON.parse(field.value);
  } catch (error) {
    wrong = `${field.dataset.wrong}: ${error.message}`;
  }
  field.classList.toggle("is-invalid", wrong !== "");
  field.setAttribute("aria-invalid", wrong !== "");
  document.getElementById("body-wrong").textContent = wrong;
  if (wrong) field.focus();
  return wrong === "";
}

async function send() {
  const { address, body, headers } = request();
  const began = performance.now();
  const response = await fetch(address, {
    method: form.dataset.method,
    body,
    headers: { Accept: "application/json", "X-Xsrftoken": form.elements._xsrf.value, ...headers },
  });
  const content = await response.blob();
  const took = Math.round(performance.now() - began);
  await show(response, content, `${took} ms · ${content.size} ${answer.dataset.bytes} · ${response.headers.get("Content-Type") ?? ""}`);
}

async function show(response, content, facts) {
  const status = document.getElementById("answer-status");
  status.textContent = `${response.status} ${response.statusText}`;
  status.className = `badge ${response.ok ? "bg-green-lt" : "bg-red-lt"}`;
  document.getElementById("answer-facts").textContent = facts;
  const kind = response.headers.get("Content-Type") ?? "";
  const isText = kind.startsWith("text/") || kind.startsWith("application/json");
  let text = isText ? await content.text() : "";
  if (kind.startsWith("application/json") && text) text = JSON.stringify(JSON.parse(text), null, 2);
  if (text.length > SHOWN_MAX) text = `${text.slice(0, SHOWN_MAX)}\n… ${answer.dataset.cut}`;
  document.getElementById("answer-text").textContent = text;
  offer(response, content);
  answer.hidden = false;
  answer.scrollIntoView({ block: "nearest" });
}

// Lets the person keep what came, under the name that the station gave it.
function offer(response, content) {
  const link = document.getElementById("answer-file");
  if (saved) URL.revokeObjectURL(saved);
  saved = URL.createObjectURL(content);
  const named = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  link.href = saved;
  link.download = named ? named[1] : `${form.dataset.name}.json`;
  link.hidden = content.size === 0;
}

// The same call for a shell; single quotes within are ended, escaped and begun again.
function tellProgram() {
  const { address, body, headers } = request();
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const parts = ["curl -s", '-H "Authorization: Bearer $TOKEN"'];
  if (form.dataset.method !== "GET") parts.push(`-X ${form.dataset.method}`);
  for (const [name, value] of Object.entries(headers)) parts.push(`-H '${name}: ${value}'`);
  if (body instanceof FormData) for (const [name, value] of body) parts.push(`-F ${quoted(`${name}=${value instanceof File ? `@${value.name}` : value || "@FILE"}`)}`);
  else if (body !== undefined) parts.push(`-d ${quoted(body)}`);
  parts.push(quoted(location.origin + address));
  document.getElementById("curl").textContent = parts.join(" \\\n  ");
}

if (form) {
  tellProgram();
  form.addEventListener("input", tellProgram);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!form.reportValidity() || !isSound()) return;
    const button = form.querySelector("button.btn-primary");
    button.disabled = true;
    try {
      await send();
    } catch {
      document.getElementById("answer-text").textContent = answer.dataset.unreachable;
      answer.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
