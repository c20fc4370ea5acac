"use strict";

/* Custom text: the preview follows what is typed, and “send me this” answers in place.
   Without this script both buttons open a page of their own. */
document.addEventListener("DOMContentLoaded", () => {
  const section = document.getElementById("custom-text");
  if (!section) {
    return;
  }
  const { previewUrl, sendUrl, failed, mistaken } = section.dataset;
  const form = section.closest("form");
  const status = section.querySelector("[role=status]");
  const parts = section.querySelector("[data-parts]");
  const sendButton = section.querySelector("[data-send]");
  let waiting;
  let asked = new AbortController();

  const ask = async (url, signal) => {
    const response = await fetch(url, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      signal,
    });
    if (!response.ok) {
      throw new Error(String(response.status));
    }
    return response.json();
  };

  const say = (text, isProblem) => {
    status.textContent = text || "";
    status.classList.toggle("errornote", Boolean(text && isProblem));
  };

  const described = (field) => (field.getAttribute("aria-describedby") || "").split(" ").filter(Boolean);

  const describe = (field, ids) => {
    if (ids.length) {
      field.setAttribute("aria-describedby", ids.join(" "));
    } else {
      field.removeAttribute("aria-describedby");
    }
  };

  const showErrors = (errors) => {
    // Those of a form that could not be saved as well: this check is the same.
    form.querySelectorAll(".errorlist").forEach((list) => list.remove());
    form.querySelectorAll("[aria-invalid]").forEach((field) => {
      field.removeAttribute("aria-invalid");
      describe(field, described(field).filter((id) => id !== `${field.id}_error`));
    });
    Object.entries(errors).forEach(([name, lines]) => {
      const field = form.elements.namedItem(name);
      const list = document.createElement("ul");
      list.className = "errorlist";
      list.id = `id_${name}_error`; // as Django's own
      lines.forEach((line) => {
        const item = document.createElement("li");
        item.textContent = line;
        list.append(item);
      });
      const row = field && field.closest(".form-row");
      if (row) {
        row.prepend(list);
        field.setAttribute("aria-invalid", "true");
        describe(field, [list.id, ...described(field)]);
      } else {
        status.after(list);
      }
    });
  };

  const showPreview = (preview) => {
    if (!preview) {
      return;
    }
    parts.hidden = false;
    parts.querySelectorAll("[data-part]").forEach((element) => {
      const text = preview[element.dataset.part];
      if (element.tagName !== "IFRAME") {
        element.textContent = text;
      } else if (element.srcdoc !== text) {
        const fresh = element.cloneNode(false); // one that is changed would add to the tab's history
        fresh.srcdoc = text;
        element.replaceWith(fresh);
      }
    });
  };

  // What was said of a message that was sent stays, whatever the preview finds meanwhile.
  const refresh = async (isQuiet = false) => {
    asked.abort();
    asked = new AbortController();
    try {
      const answer = await ask(previewUrl, asked.signal);
      const isMistaken = Object.keys(answer.errors).length > 0;
      if (!isQuiet) {
        say(answer.problem || (isMistaken ? mistaken : ""), !isMistaken);
      }
      showErrors(answer.errors);
      showPreview(answer.preview);
    } catch (error) {
      if (error.name !== "AbortError" && !isQuiet) {
        say(failed, true);
      }
    }
  };

  const refreshSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => refresh(), 400);
  };

  const send = async (event) => {
    event.preventDefault();
    sendButton.disabled = true;
    clearTimeout(waiting);
    asked.abort();
    try {
      const answer = await ask(sendUrl);
      showErrors(answer.errors);
      say(answer.done || answer.problem, !answer.done);
    } catch {
      say(failed, true);
    } finally {
      sendButton.disabled = false;
      refresh(true);
    }
  };

  form.addEventListener("input", refreshSoon);
  sendButton.addEventListener("click", send);
  refresh();
});
