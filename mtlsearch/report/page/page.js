"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const hints = JSON.parse(document.getElementById("hints").textContent);

  // Leaderboard: sort, filter, choose columns.
  const board = document.getElementById("board");
  if (board) {
    const body = board.tBodies[0];
    const heads = all("th", board.tHead);
    const filter = document.getElementById("filter");
    const state = document.getElementById("state");
    const count = document.getElementById("count");

    const keyOf = (row, column) => {
      const value = row.cells[column].dataset.sort;
      if (value === "") return null;
      const number = Number(value);
      return Number.isNaN(number) ? value.toLowerCase() : number;
    };
    const compare = (left, right, sign) => {
      if (left === null || right === null) return (left === null) - (right === null);
      if (typeof left === typeof right) return left < right ? -sign : left > right ? sign : 0;
      return typeof left === "number" ? -1 : 1;
    };
    const sortBy = (column, sign) => {
      const rows = Array.from(body.rows);
      rows.sort((a, b) => compare(keyOf(a, column), keyOf(b, column), sign));
      body.append(...rows);
      heads.forEach((head, index) => {
        const order = index === column ? (sign > 0 ? "ascending" : "descending") : "none";
        head.setAttribute("aria-sort", order);
      });
    };
    all("button[data-column]", board).forEach((button) => {
      const column = Number(button.dataset.column);
      button.addEventListener("click", () => {
        const order = heads[column].getAttribute("aria-sort");
        const first = button.dataset.descending === "1" ? -1 : 1;
        sortBy(column, order === "none" ? first : order === "ascending" ? -1 : 1);
      });
    });

    const show = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      Array.from(body.rows).forEach((row) => {
        const text = row.textContent.toLowerCase();
        const fits = (!state || !state.value || row.dataset.state === state.value)
          && words.every((word) => text.includes(word));
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      count.textContent = `${shown} of ${body.rows.length} trials`;
    };
    filter.addEventListener("input", show);
    if (state) state.addEventListener("change", show);

    all("input[data-column]").forEach((box) => {
      box.addEventListener("change", () => {
        const column = Number(box.dataset.column);
        Array.from(board.rows).forEach((row) => {
          row.cells[column].classList.toggle("off", !box.checked);
        });
      });
    });
  }

  // One trial is highlighted everywhere, with a hint beside the pointer.
  const hint = document.getElementById("hint");
  let current = null;
  const mark = (trial) => {
    if (trial === current) return;
    all(".hl").forEach((element) => element.classList.remove("hl"));
    current = trial;
    if (trial === null) return;
    all(`[data-trial="${CSS.escape(trial)}"]`).forEach((element) => element.classList.add("hl"));
  };
  const fill = (trial) => {
    hint.replaceChildren();
    const title = document.createElement("b");
    title.textContent = `trial ${trial}`;
    hint.append(title);
    (hints[trial] || []).forEach(([name, text]) => {
      const line = document.createElement("div");
      const label = document.createElement("span");
      label.textContent = name;
      const value = document.createElement("span");
      value.textContent = text;
      line.append(label, value);
      hint.append(line);
    });
  };
  const place = (x, y) => {
    const width = document.documentElement.clientWidth;
    const height = document.documentElement.clientHeight;
    const left = Math.min(x + 14, width - hint.offsetWidth - 8);
    const top = y + 16 + hint.offsetHeight > height ? y - hint.offsetHeight - 12 : y + 16;
    hint.style.left = `${Math.max(8, left)}px`;
    hint.style.top = `${Math.max(8, top)}px`;
  };
  const hide = () => {
    hint.hidden = true;
    mark(null);
  };
  const over = (event) => {
    const target = event.target.closest ? event.target.closest("[data-trial]") : null;
    if (!target) return hide();
    mark(target.dataset.trial);
    if (!target.closest("svg") || target.tagName === "FIGURE") {
      hint.hidden = true;
      return undefined;
    }
    fill(target.dataset.trial);
    hint.hidden = false;
    place(event.clientX, event.clientY);
    return undefined;
  };
  document.addEventListener("pointermove", over);
  document.addEventListener("pointerdown", over);
  document.addEventListener("focusin", (event) => {
    const target = event.target;
    if (!target.dataset || !target.dataset.trial || !target.closest("svg")) return;
    const box = target.getBoundingClientRect();
    mark(target.dataset.trial);
    fill(target.dataset.trial);
    hint.hidden = false;
    place(box.right, box.bottom);
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { passive: true });

  // A printed page has no closed parts.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = all("details:not([open]):not(.chooser)");
    closed.forEach((element) => { element.open = true; });
  });
  window.addEventListener("afterprint", () => {
    closed.forEach((element) => { element.open = false; });
  });
})();
