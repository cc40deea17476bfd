// The auditor's page. It talks to the REST API alone, and writes text only as text.
(() => {
  "use strict";
  const language = document.documentElement.lang === "zh" ? "zh" : "en";
  const say = (key, values = {}) =>
    Object.entries(values).reduce(
      (text, [name, value]) => text.replace(`{${name}}`, value),
      (window.vouchWords[`audit_${key}`] || {})[language] || key,
    );
  const at = (id) => document.getElementById(id);
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined && text !== null) node.textContent = String(text);
    return node;
  };
  const short = (hash) => (hash && hash.length > 20 ? `${hash.slice(0, 16)}…` : hash);
  const when = (time) => time.replace("T", " ").replace(/\.\d+Z$/, " UTC").replace(/Z$/, " UTC");
  const hash = (value) => {
    const node = make("code", "", short(value));
    node.title = value || "";
    return node;
  };

  async function ask(path, options) {
    const reply = await fetch(path, options);
    const body = await reply.json();
    if (!reply.ok) throw Object.assign(new Error(body.error.message), { remedy: body.error.remedy });
    return body;
  }

  function trouble(error) {
    at("trouble").textContent = error ? [error.message, error.remedy].filter(Boolean).join(" ") : "";
  }

  function pair(list, key, value) {
    const box = make("div");
    const content = make("dd");
    content.append(value instanceof Node ? value : String(value));
    box.append(make("dt", "", say(key)), content);
    list.append(box);
  }

  async function state() {
    try {
      const found = await ask("/v1/audit/state");
      const list = at("state").querySelector("dl");
      list.replaceChildren();
      pair(list, "entries", found.size);
      pair(list, "root", hash(found.root));
      if (found.minimum) pair(list, "minimum", found.minimum);
      const lag = Math.max(0, found.size - found.copied);
      pair(list, "copy", found.copy_problem || (lag ? say("behind", { n: lag }) : say("current")));
      const signed = found.checkpoints;
      if (signed) pair(list, "checkpoint", published(signed));
    } catch (error) {
      trouble(error);
    }
  }

  function published(signed) {
    if (signed.error) return signed.error;
    if (!signed.published) return say("unsigned");
    const text = say("covers", { n: signed.published });
    return signed.lag ? `${text}, ${say("behind", { n: signed.lag })}` : text;
  }

  async function verify() {
    const place = at("verified");
    at("verify").disabled = true;
    place.className = "";
    place.textContent = say("verifying");
    try {
      const found = await ask("/v1/audit/verify", { method: "POST" });
      place.className = "good";
      place.textContent = say("intact", { n: found.size, rows: found.copy_rows });
    } catch (error) {
      place.className = "bad";
      place.textContent = `${error.message} ${error.remedy || ""}`;
    }
    at("verify").disabled = false;
    state();
  }

  function wanted() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(at("search"))) {
      const text = value.trim();
      if (!text) continue;
      if (name !== "source") query.set(name, text);
      else query.set(/^[0-9a-f]{64}$/i.test(text) ? "digest" : "document", text);
    }
    return query;
  }

  function verdicts(counts) {
    const node = make("span", "verdicts");
    for (const name of ["supported", "contradicted", "unsupported"]) {
      if (counts[name]) node.append(make("span", name, `${counts[name]} ${say(name)}`), " ");
    }
    return node;
  }

  function row(item) {
    const line = make("tr");
    const cell = (key, value) => {
      const node = make("td");
      node.dataset.label = say(key);
      if (value === null || value === undefined || value === "") node.className = "empty";
      else node.append(value instanceof Node ? value : String(value));
      line.append(node);
      return node;
    };
    cell("entry", item.seq);
    cell("time", when(item.time));
    cell("person", item.actor);
    cell("action", make("code", "", item.action));
    cell("outcome", make("span", item.outcome === "ok" ? "good" : "bad", item.outcome));
    cell("domain", item.domain);
    cell("verdicts", Object.keys(item.verdicts).length ? verdicts(item.verdicts) : "");
    let open = "";
    if (item.answer_id) {
      open = make("button", "link", say("tell"));
      open.type = "button";
      open.addEventListener("click", () => story(item.answer_id));
    }
    cell("answer", open);
    return line;
  }

  let next = null;

  async function search(more) {
    trouble(null);
    const query = wanted();
    for (const form of ["csv", "json"]) {
      const link = new URLSearchParams(query);
      link.set("format", form);
      link.set("limit", "10000");
      at(form).href = `/v1/audit/export?${link}`;
    }
    query.set("limit", "50");
    if (more && next !== null) query.set("before", next);
    try {
      const page = await ask(`/v1/audit/search?${query}`);
      const rows = page.rows.map(row);
      if (more) at("rows").append(...rows);
      else at("rows").replaceChildren(...rows);
      next = page.next;
      at("more").hidden = next === null;
      at("none").hidden = at("rows").children.length > 0;
    } catch (error) {
      trouble(error);
    }
  }

  function documents(used) {
    const list = make("ul", "documents");
    for (const item of used) {
      const line = make("li");
      line.append(make("code", "", item.document_id), ` ${say(`as_${item.role}`)} `, hash(item.digest));
      list.append(line);
    }
    return used.length ? list : say("no_documents");
  }

  async function story(answer) {
    const place = at("story");
    trouble(null);
    try {
      const told = await ask(`/v1/audit/answers/${encodeURIComponent(answer)}`);
      const close = make("button", "link", say("close"));
      close.type = "button";
      close.addEventListener("click", () => {
        place.hidden = true;
      });
      const head = make("div", "head");
      head.append(make("h2", "", say("story")), make("code", "", told.answer_id), close);
      const list = make("dl");
      pair(list, "outcome", make("span", told.state === "ok" ? "good" : "bad", told.state));
      if (told.domain) pair(list, "domain", told.domain);
      pair(list, "verdicts", Object.keys(told.verdicts).length ? verdicts(told.verdicts) : "0");
      pair(list, "content", say(told.content));
      if (told.receipt) {
        pair(list, "receipt", say("stands", { n: told.receipt.entry, size: told.receipt.size }));
        pair(list, "leaf", hash(told.receipt.leaf));
        pair(list, "root", hash(told.receipt.root));
      }
      if (told.pruned.length) pair(list, "pruned", told.pruned.join(", "));
      pair(list, "evidence", documents(told.documents));
      const entries = make("div", "entries");
      for (const entry of told.entries) {
        const box = make("details");
        box.append(make("summary", "", `${entry.entry} · ${entry.action} · ${when(entry.time)}`));
        box.append(make("pre", "", JSON.stringify(entry, null, 2)));
        entries.append(box);
      }
      place.replaceChildren(head, list, entries);
      place.hidden = false;
      place.scrollIntoView({ block: "nearest" });
      close.focus({ preventScroll: true });
    } catch (error) {
      trouble(error);
    }
  }

  at("verify").addEventListener("click", verify);
  at("more").addEventListener("click", () => search(true));
  at("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search(false);
  });
  at("search").addEventListener("change", () => search(false));
  state();
  search(false);
})();
