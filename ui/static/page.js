// The sidebar of Vouch's page: how far the model is, which documents there are, and adding to them.
// It talks to the REST API alone, and writes text only as text.
(() => {
  "use strict";
  const language = (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
  const say = (key) => (window.vouchWords[key] || {})[language] || "";
  const MOST_REMARKS = 50;
  const STATES = {
    queued: { en: "waiting", zh: "等待中" }, parsing: { en: "reading", zh: "读取中" },
    indexing: { en: "indexing", zh: "建立索引" }, ready: { en: "ready", zh: "就绪" },
    failed: { en: "refused", zh: "未能加入" }, sending: { en: "sending", zh: "上传中" },
  };
  const STAGES = {
    waiting: { en: "The model waits", zh: "模型等待中" }, fetching: { en: "Fetching the model", zh: "正在下载模型" },
    building: { en: "Preparing the model", zh: "正在准备模型" }, starting: { en: "Starting the model", zh: "正在启动模型" },
    ready: { en: "Ready to answer", zh: "可以提问" }, failed: { en: "The model cannot be served", zh: "模型无法启动" },
    stopped: { en: "The model is stopped", zh: "模型已停止" },
  };

  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  function translate() {
    for (const node of document.querySelectorAll("[data-say]")) {
      const text = say(node.dataset.say);
      if (node.textContent !== text) node.textContent = text;
    }
  }

  async function status() {
    const place = document.getElementById("vouch-status");
    if (!place) return 500;
    try {
      const reply = await fetch("/v1/status");
      const { model, search, may } = await reply.json();
      const audit = document.getElementById("vouch-audit");
      if (audit) audit.hidden = !(may || []).includes("audit");
      const ready = model.stage === "ready" && search === "ready";
      const share = model.total ? Math.floor((100 * model.done) / model.total) : null;
      place.className = ready ? "ready" : model.stage;
      place.replaceChildren(make("b", "", (STAGES[model.stage] || STAGES.waiting)[language]));
      if (!ready) {
        place.append(make("small", "", model.message || model.detail || ""));
        if (model.remedy) place.append(make("small", "", model.remedy));
        if (share !== null) {
          const bar = make("progress");
          bar.max = 100;
          bar.value = share;
          place.append(bar);
        }
      } else {
        place.append(make("small", "", model.name));
      }
      return ready ? 5000 : 1000;
    } catch {
      place.className = "failed";
      place.replaceChildren(make("b", "", language === "zh" ? "服务没有响应" : "The service does not answer"));
      return 2000;
    }
  }

  function row(list, id) {
    let node = list.querySelector(`[data-id="${CSS.escape(id)}"]`);
    if (!node) {
      node = make("li");
      node.dataset.id = id;
      list.prepend(node);
    }
    return node;
  }

  function draw(node, item) {
    node.className = item.state;
    const title = item.state === "ready" ? make("a", "name", item.name) : make("span", "name", item.name);
    if (item.state === "ready") {
      title.href = `/view/${item.id}/1`;
      title.target = "_blank";
    }
    const state = (STATES[item.state] || STATES.queued)[language];
    let more = "";
    if (item.share !== undefined) more = ` ${item.share} %`;
    else if (item.state === "ready") more = language === "zh" ? `，${item.pages} 页` : `, ${item.pages} pages`;
    else if (item.pages) more = ` ${item.pages_done}/${item.pages}`;
    node.replaceChildren(title, make("small", "", state + more));
    const { company, period, kind } = item.facts || {};
    const facts = [company, period, kind && (say(`kind_${kind}`) || kind)].filter(Boolean).join(" · ");
    if (facts) node.append(make("small", "facts", facts));
    if ((item.remarks || []).length) node.append(remarks(item));
    if (item.error) node.append(make("small", "error", `${item.error} ${item.remedy || ""}`));
  }

  // What a reader should know before relying on a document: hidden text, pages that were not read, attachments.
  function remarks(item) {
    const box = make("details", "remarks");
    box.append(make("summary", "", say("remarks").replace("{n}", item.remarks.length)));
    const rows = make("ul");
    for (const { code, page, detail } of item.remarks.slice(0, MOST_REMARKS)) {
      const where = page ? `${say("page").replace("{n}", page)}${language === "zh" ? "：" : ": "}` : "";
      const what = say(`remark_${code}`) || code.replaceAll("_", " ");
      rows.append(make("li", "", where + what + (detail ? ` (${detail})` : "")));
    }
    if (item.remarks.length > MOST_REMARKS) rows.append(make("li", "", "…"));
    box.append(rows);
    return box;
  }

  async function follow(list, item) {
    while (!["ready", "failed"].includes(item.state)) {
      await new Promise((done) => setTimeout(done, 700));
      const reply = await fetch(`/v1/documents/${item.id}`);
      if (!reply.ok) return;
      item = await reply.json();
      draw(row(list, item.id), item);
    }
  }

  function send(list, file) {
    const waiting = row(list, `sending-${file.name}-${Math.random()}`);
    const form = new FormData();
    form.append("files", file);
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/documents");
    request.upload.onprogress = (event) =>
      draw(waiting, { state: "sending", name: file.name, share: Math.floor((100 * event.loaded) / event.total) });
    request.onerror = () =>
      draw(waiting, { state: "failed", name: file.name, error: language === "zh" ? "连接中断" : "The connection broke." });
    request.onload = () => {
      const reply = JSON.parse(request.responseText);
      if (request.status >= 400) {
        draw(waiting, { state: "failed", name: file.name, error: reply.error.message, remedy: reply.error.remedy });
        return;
      }
      waiting.remove();
      for (const item of reply.documents) {
        draw(row(list, item.id), item);
        follow(list, item);
      }
    };
    draw(waiting, { state: "sending", name: file.name, share: 0 });
    request.send(form);
  }

  document.addEventListener("change", (event) => {
    if (event.target.id !== "vouch-files") return;
    const list = document.getElementById("vouch-list");
    for (const file of event.target.files) send(list, file);
    event.target.value = "";
  });

  async function begin() {
    const list = document.getElementById("vouch-list");
    if (!list) {
      setTimeout(begin, 200);
      return;
    }
    document.documentElement.lang = language;
    translate();
    new MutationObserver(translate).observe(document.body, { childList: true, subtree: true });
    const reply = await fetch("/v1/documents?limit=200");
    if (reply.ok) {
      const { documents } = await reply.json();
      for (const item of documents.reverse()) {
        draw(row(list, item.id), item);
        follow(list, item);
      }
    }
    const tick = async () => setTimeout(tick, await status());
    tick();
  }
  begin();
})();
