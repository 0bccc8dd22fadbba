// The sample browser. Texts reach the page through textContent only: what a model said is never markup.
"use strict";
(() => {
  const data = window.AQA;
  const PAGE = 20;
  const WORDS = {
    correct: "correct", wrong: "wrong", no_answer: "no answer", failed: "failed", missing: "missing", withheld: "withheld",
  };
  const SIGNS = { correct: "✓", wrong: "✗", no_answer: "–", failed: "!", missing: "∅", withheld: "?" };
  const byId = (id) => document.getElementById(id);
  const control = Object.fromEntries(
    ["eval", "other", "task", "outcome", "sub", "difficulty", "flips", "text"].map((id) => [id, byId(id)]),
  );

  // Every answer with its question, once; texts to search through are lower-cased once.
  const evals = data.evals.map((e) => {
    const questions = data.sets[e.set].questions;
    const samples = e.answers.map(([at, answer]) => {
      const q = questions[at];
      const texts = [q.id, q.question, ...q.choices, answer.answer, answer.said ? answer.said.output : ""];
      return { q, answer, text: texts.join("\n").toLowerCase() };
    });
    return { ...e, samples, byId: new Map(samples.map((s) => [s.q.id, s])) };
  });
  let shown = [];
  let chosen = null;

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };
  const verdict = (sample) => {
    if (!sample) return make("span", { class: "verdict" }, "not asked");
    const outcome = sample.answer.outcome;
    const sign = make("span", { "aria-hidden": "true" }, `${SIGNS[outcome]} `);
    return make("span", { class: `verdict ${outcome}` }, sign, WORDS[outcome]);
  };
  const counted = (sample) => sample && !["missing", "withheld"].includes(sample.answer.outcome);
  const right = (sample) => sample.answer.outcome === "correct";

  /** What became of a question against the other evaluation: "gained", "lost" or "". */
  const flip = (sample, other) => {
    const twin = other && other.byId.get(sample.q.id);
    if (!counted(sample) || !counted(twin) || right(sample) === right(twin)) return "";
    return right(sample) ? "gained" : "lost";
  };

  const current = () => ({
    main: evals[Number(control.eval.value)],
    other: control.other.value === "" ? null : evals[Number(control.other.value)],
  });

  const options = (select, first, entries) => {
    const before = select.value;
    select.replaceChildren(make("option", { value: "" }, first));
    for (const [value, label] of entries) select.append(make("option", { value }, label));
    select.value = entries.some(([value]) => value === before) ? before : "";
  };

  const tally = (samples, key) => {
    const counts = new Map();
    for (const sample of samples) counts.set(key(sample), (counts.get(key(sample)) || 0) + 1);
    return counts;
  };

  /** The choices of every filter, for the evaluation that is shown. */
  const offer = () => {
    const { main } = current();
    const facet = (select, first, key, word = (name) => name, sorted = false) => {
      const names = [...tally(main.samples, key)].filter(([name]) => name !== "");
      if (sorted) names.sort(([a], [b]) => (a < b ? -1 : 1));
      options(select, first, names.map(([name, n]) => [name, `${word(name)} (${n})`]));
      select.disabled = names.length === 0;
    };
    facet(control.task, "all tasks", (s) => s.q.task);
    facet(control.outcome, "all verdicts", (s) => s.answer.outcome, (name) => WORDS[name]);
    facet(control.sub, "all sub-categories", (s) => s.q.sub_category, undefined, true);
    facet(control.difficulty, "all difficulties", (s) => s.q.difficulty);
    const others = evals.map((e, i) => [String(i), e]).filter(([, e]) => e !== main && e.table === main.table);
    options(control.other, "nothing", others.map(([i, e]) => [i, name(e)]));
    control.other.disabled = others.length === 0;
  };

  /** An evaluation's label, with its recipe where labels repeat. */
  const name = (e) => (evals.filter((o) => o.label === e.label).length > 1 ? `${e.label} (${e.recipe})` : e.label);

  const filter = () => {
    const { main, other } = current();
    control.flips.disabled = !other;
    if (!other) control.flips.value = "";
    const [task, outcome, sub, difficulty, flips] = ["task", "outcome", "sub", "difficulty", "flips"].map((id) => control[id].value);
    const words = control.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = main.samples.filter((s) => {
      if (task && s.q.task !== task) return false;
      if (outcome && s.answer.outcome !== outcome) return false;
      if (sub && s.q.sub_category !== sub) return false;
      if (difficulty && s.q.difficulty !== difficulty) return false;
      if (flips) {
        const turned = flip(s, other);
        if (!turned || (flips !== "all" && flips !== turned)) return false;
      }
      return words.every((word) => s.text.includes(word));
    });
    const found = chosen && shown.find((s) => s.q.id === chosen.q.id);
    choose(found || shown[0] || null);
    say();
  };

  const say = () => {
    const { main, other } = current();
    const parts = [...tally(shown, (s) => s.answer.outcome)].map(([outcome, n]) => `${n} ${WORDS[outcome]}`);
    byId("count").textContent = `${shown.length} of ${main.samples.length} samples${parts.length ? `: ${parts.join(", ")}` : ""}`;
    const turned = tally(shown, (s) => flip(s, other));
    byId("turned").textContent = other
      ? `Against ${name(other)}: ${turned.get("gained") || 0} gained (correct here, not there), ${turned.get("lost") || 0} lost (correct there, not here).`
      : "";
  };

  const choose = (sample) => {
    chosen = sample;
    list();
    detail();
  };

  const list = () => {
    const { other } = current();
    const at = chosen ? shown.indexOf(chosen) : 0;
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    const page = Math.floor(at / PAGE);
    byId("head-other").hidden = !other;
    const rows = shown.slice(page * PAGE, (page + 1) * PAGE).map((s) => {
      const is = s === chosen;
      const about = [s.q.id, s.q.sub_category, s.q.difficulty].filter(Boolean).join(" · ");
      const button = make("button", { type: "button", tabindex: is ? "0" : "-1" },
        make("span", {}, s.q.question), make("small", {}, about));
      if (is) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => pick(s, true));
      const row = make("tr", { "data-id": s.q.id, class: is ? "chosen" : "" },
        make("td", {}, button), make("td", {}, s.q.task), make("td", {}, verdict(s)));
      if (other) row.append(make("td", {}, verdict(other.byId.get(s.q.id))));
      return row;
    });
    byId("rows").tBodies[0].replaceChildren(...rows);
    byId("page").textContent = `page ${page + 1} of ${pages}`;
    byId("previous").disabled = page === 0;
    byId("next").disabled = page + 1 >= pages;
  };

  /** Chooses a sample by hand: the address keeps it, and on a narrow window it is brought into view. */
  const pick = (sample, byClick = false) => {
    choose(sample);
    try {
      history.replaceState(null, "", `#sample=${encodeURIComponent(sample.q.id)}`);
    } catch { /* where an address may not change, it stays */ }
    const button = document.querySelector("#rows .chosen button");
    if (button) button.focus({ preventScroll: byClick });
    if (byClick && matchMedia("(max-width: 56rem)").matches) byId("sample").scrollIntoView();
  };

  const step = (by) => {
    const at = shown.indexOf(chosen);
    const to = Math.min(shown.length - 1, Math.max(0, at + by));
    if (shown.length) pick(shown[to]);
  };

  const line = (list, term, ...what) => list.append(make("dt", {}, term), make("dd", {}, ...what));

  const said = (e, sample) => {
    const part = make("section", { class: "answer", "aria-label": `Answer of ${name(e)}` },
      make("h4", {}, make("span", {}, name(e)), verdict(sample)));
    const facts = make("dl");
    if (!sample) return part;
    const { answer, said: record, outcome } = sample.answer;
    line(facts, "Answer", answer === "" ? make("span", { class: "soft" }, outcome === "missing" ? "not in the predictions" : "none") : answer);
    if (record) {
      if (record.error) line(facts, "Error", record.error);
      line(facts, "Raw output", record.output === "" ? make("span", { class: "soft" }, "nothing") : make("pre", { tabindex: "0", "aria-label": "Raw output" }, record.output));
      const notes = [`${record.tokens} tokens`, ...(record.notes || [])];
      line(facts, "Notes", notes.join("; "));
      line(facts, "Prompt", record.prompt === "" ? make("span", { class: "soft" }, "failed before it was made") : make("code", { title: "SHA-256 of the rendered prompt" }, record.prompt));
    } else {
      line(facts, "Raw output", make("span", { class: "soft" }, "not known: a file of predictions was scored"));
    }
    part.append(facts);
    return part;
  };

  const detail = () => {
    const { main, other } = current();
    const place = byId("sample");
    if (!chosen) {
      place.replaceChildren(make("p", { class: "soft" }, "No sample passes these filters."));
      return;
    }
    const { q } = chosen;
    const twin = other && other.byId.get(q.id);
    const about = [q.id, q.task, q.sub_category, q.difficulty].filter(Boolean).join(" · ");
    const parts = [make("h3", {}, q.question), make("p", { class: "meta" }, about)];
    parts.push(q.clip
      ? make("audio", { controls: "", preload: "metadata", src: q.clip, "aria-label": `Clip of ${q.id}` })
      : make("p", { class: "soft" }, `The clip is not there (${q.audio}).`));
    const choices = make("ul", { class: "choices", "aria-label": "Options" });
    q.choices.forEach((choice, i) => {
      const gold = choice === q.gold;
      const tags = make("span", { class: "tags" });
      if (gold) tags.append(make("span", { class: "right" }, "✓ right answer"));
      for (const [e, sample] of [[main, chosen], [other, twin]]) {
        if (!sample || !(sample.answer.given || []).includes(i)) continue;
        tags.append(make("span", { class: gold ? "right" : "miss" }, other ? `given by ${name(e)}` : "given"));
      }
      choices.append(make("li", { class: gold ? "gold" : "" }, make("span", {}, choice), tags));
    });
    parts.push(choices);
    if (q.gold === null) parts.push(make("p", { class: "soft" }, "The right answer is withheld."));
    else if (!q.choices.includes(q.gold)) parts.push(make("p", {}, `The right answer, which is none of the options: ${q.gold}`));
    parts.push(said(main, chosen));
    if (other) parts.push(said(other, twin));
    place.replaceChildren(...parts);
    place.scrollTop = 0;
  };

  const KEYS = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, End: Infinity, Home: -Infinity };
  byId("rows").addEventListener("keydown", (event) => {
    if (!(event.key in KEYS) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(KEYS[event.key]);
  });
  byId("previous").addEventListener("click", () => step(-PAGE));
  byId("next").addEventListener("click", () => step(PAGE));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(() => { offer(); filter(); }));
  control.eval.addEventListener("change", () => { offer(); filter(); });
  for (const id of ["other", "task", "outcome", "sub", "difficulty", "flips"]) control[id].addEventListener("change", filter);
  control.text.addEventListener("input", filter);

  evals.forEach((e, i) => control.eval.append(make("option", { value: String(i) }, name(e))));
  byId("browser").hidden = false;
  offer();
  const wanted = evals.map((e) => e.samples).flat().find((s) => location.hash === `#sample=${encodeURIComponent(s.q.id)}`)?.q.id;
  const start = evals.findIndex((e) => e.byId.has(wanted));
  if (start >= 0) {
    control.eval.value = String(start);
    offer();
    chosen = evals[start].byId.get(wanted);
    byId("samples").scrollIntoView();
  }
  filter();
})();
