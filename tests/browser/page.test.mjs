// Drives the page of `aqa-bench report --format html` from the disk in a headless Chromium. `scripts/test-browser.sh` makes the page and
// says where it and the browser are. What must be shown is computed here from the runs' own files, not from the page's data.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, dirname } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "./launch.mjs";

const PAGE = process.env.AQA_PAGE;
const RUNS = process.env.AQA_BROWSER_RUNS;
if (!PAGE || !RUNS) throw new Error("the page and its runs are not there: run scripts/test-browser.sh");
const here = dirname(fileURLToPath(import.meta.url));
/** A change of a filter at 1000 samples: generous, a slow machine takes a tenth of it. */
const BOUND_MS = 1000;

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** Opens the page; whatever it says on the console and every request that is not of a file is kept. */
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(10000);
  const page = await context.newPage();
  const noise = [];
  const requests = [];
  page.on("console", (message) => noise.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => noise.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  page.on("requestfailed", (request) => noise.push(`failed: ${request.url()}`));
  await page.goto(`file://${PAGE}${options.hash ?? ""}`);
  await page.waitForSelector("#rows tbody tr");
  return { context, page, noise, requests };
}

/** An evaluation from its run's files: each question with what was said to it. */
function evaluation(run, name) {
  const folder = readdirSync(join(RUNS, run)).find((f) => new RegExp(`^${name}-[0-9a-f]{12}$`).test(f)
    && readdirSync(join(RUNS, run, f)).includes("eval.json"));
  const at = join(RUNS, run, folder);
  const rows = JSON.parse(readFileSync(join(at, "predictions.json"), "utf8"));
  const lines = readFileSync(join(at, "samples.jsonl"), "utf8").trim().split("\n").map((l) => JSON.parse(l));
  const said = new Map(lines.map((l) => [l.id, l]));
  return rows.map((row) => ({ ...row, ...said.get(row.id) }));
}

const SFT = evaluation("quickstart", "sft");
const GRPO = evaluation("quickstart", "grpo");
const count = (page) => page.locator("#count").textContent();
const pick = (page, id, label) => page.locator(`#${id}`).selectOption({ label });
const by = (page, id, value) => page.locator(`#${id}`).selectOption(value);
/** The ids of all samples that pass the filters, by the buttons below the list, page by page. */
async function ids(page) {
  await page.locator("#rows .chosen button").press("Home");
  return page.evaluate(() => {
    const [rows, next] = [document.querySelector("#rows tbody").rows, document.getElementById("next")];
    const found = [];
    for (;;) {
      found.push(...[...rows].map((row) => row.dataset.id));
      if (next.disabled) return found;
      next.click();
    }
  });
}

test("it opens from the disk without a word on the console and without a network", async () => {
  const { context, page, noise, requests } = await open();
  assert.deepEqual(noise, []);
  const outside = requests.filter((url) => !url.startsWith("file://") && !url.startsWith("data:"));
  assert.deepEqual(outside, []);
  assert.ok(requests.some((url) => url.endsWith("assets/data.js")), "requests are seen at all");
  assert.equal(await page.locator("#leaderboard > .wide table tbody tr.measured").count(), 5);
  const breakdowns = page.locator("#leaderboard details", { hasText: /^\s*By / });
  assert.ok((await breakdowns.count()) >= 2, "by difficulty and by sub-category");
  const difficulty = breakdowns.filter({ hasText: "By difficulty" }).first();
  assert.equal(await difficulty.locator("table").isVisible(), false);
  await difficulty.locator("summary").click();
  assert.equal(await difficulty.locator("table").isVisible(), true);
  assert.match(await page.locator("#leaderboard").innerText(), /GRPO <G = 8>/);
  assert.ok(await page.locator("#training figure svg").count() >= 9);
  assert.equal(await count(page), `1000 of 1000 samples: ${tallied(SFT)}`);
  await context.close();
});

function tallied(samples) {
  const words = { correct: "correct", wrong: "wrong", no_answer: "no answer", failed: "failed" };
  const order = [...new Set(samples.map((s) => s.verdict))];
  return order.map((v) => `${samples.filter((s) => s.verdict === v).length} ${words[v]}`).join(", ");
}

test("filters by task, verdict, sub-category, difficulty and text leave exactly what they say", async () => {
  const { context, page } = await open();
  await pick(page, "eval", "GRPO <G = 8>");
  for (const task of ["sound", "music", "speech"]) {
    await by(page, "task", task);
    const left = GRPO.filter((s) => s.task === task);
    assert.equal(await count(page), `${left.length} of 1000 samples: ${tallied(left)}`);
  }
  await by(page, "outcome", "wrong");
  await by(page, "difficulty", "hard");
  await by(page, "sub", "Emotion State summarisation");
  const left = GRPO.filter((s) => s.task === "speech" && s.verdict === "wrong" && s.difficulty === "hard"
    && s["sub-category"] === "Emotion State summarisation");
  assert.ok(left.length > 0);
  assert.deepEqual(await ids(page), left.map((s) => s.id));
  await page.locator("#filters button[type=reset]").click();
  await page.locator("#text").fill("before  CLIP 99,");
  assert.deepEqual(await ids(page), SFT.filter((s) => /clip \d*99,/.test(s.question)).map((s) => s.id));
  await page.locator("#text").fill("no such words");
  assert.equal(await count(page), "0 of 1000 samples");
  assert.match(await page.locator("#sample").innerText(), /No sample passes/);
  await context.close();
});

test("flips are exactly the questions whose correctness turned", async () => {
  const { context, page } = await open();
  await pick(page, "eval", "GRPO <G = 8>");
  assert.ok(await page.locator("#flips").isDisabled(), "nothing to compare with yet");
  const before = new Map(SFT.map((s) => [s.id, s.verdict === "correct"]));
  const turned = (from, to) => GRPO.filter((s) => before.get(s.id) === from && (s.verdict === "correct") === to).map((s) => s.id);
  const [gained, lost] = [turned(false, true), turned(true, false)];
  assert.ok(gained.length > 20 && lost.length > 20);
  await pick(page, "other", "SFT (quickstart)");
  await by(page, "flips", "gained");
  assert.deepEqual(await ids(page), gained);
  await by(page, "flips", "lost");
  assert.deepEqual(await ids(page), lost);
  await by(page, "flips", "all");
  assert.deepEqual(new Set(await ids(page)), new Set([...gained, ...lost]));
  assert.match(await page.locator("#turned").textContent(), new RegExp(`${gained.length} gained .*${lost.length} lost`));
  await context.close();
});

test("a clip loads and plays; one that is not there is said to be missing", async () => {
  const { context, page, noise } = await open();
  const clip = page.locator("#sample audio");
  await clip.evaluate((audio) => new Promise((resolve, reject) => {
    const failed = () => reject(new Error(`cannot load ${audio.src}`));
    if (audio.readyState > 0) resolve();
    if (audio.error) failed();
    audio.addEventListener("loadedmetadata", resolve);
    audio.addEventListener("error", failed);
  }));
  const duration = await clip.evaluate((audio) => audio.duration);
  assert.ok(Math.abs(duration - 0.2) < 0.05, `${duration} s`);
  const reached = await clip.evaluate(async (audio) => {
    const ended = new Promise((resolve) => audio.addEventListener("ended", resolve));
    await audio.play();
    await ended;
    return audio.currentTime;
  });
  assert.ok(reached > 0.1, `played up to ${reached} s`);
  await page.locator('#rows tr[data-id="held-out-0002"] button').click();
  assert.equal(await page.locator("#sample audio").count(), 0);
  assert.match(await page.locator("#sample").innerText(), /clip is not there \(held-out-0002\.wav\)/);
  assert.deepEqual(noise, []);
  await context.close();
});

test("the keyboard reaches everything", async () => {
  const { context, page } = await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.locator("#text").focus();
  const seen = new Set();
  for (let i = 0; i < 12; i += 1) {
    await page.keyboard.press("Tab");
    seen.add(await page.evaluate(() => document.activeElement.id || document.activeElement.closest("tr")?.dataset.id || document.activeElement.type));
  }
  for (const id of ["task", "outcome", "sub", "difficulty", "reset", "held-out-0000", "next"]) assert.ok(seen.has(id), `${id} of ${[...seen]}`);
  await page.locator("#rows .chosen button").focus();
  const at = () => page.evaluate(() => [document.activeElement.closest("tr").dataset.id, document.querySelector("#rows .chosen").dataset.id]);
  const press = async (key, id) => {
    await page.keyboard.press(key);
    assert.deepEqual(await at(), [id, id], key);
    assert.match(await page.locator("#sample .meta").textContent(), new RegExp(id));
  };
  await press("ArrowDown", "held-out-0001");
  await press("PageDown", "held-out-0021");
  await press("ArrowUp", "held-out-0020");
  await press("ArrowUp", "held-out-0019");
  await press("End", "held-out-0999");
  await press("ArrowDown", "held-out-0999");
  await press("Home", "held-out-0000");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "focus is visible");
  await context.close();
});

test("what a model said is text and nothing else", async () => {
  const { context, page, noise } = await open();
  await page.locator('#rows tr[data-id="held-out-0007"] button').click();
  const hostile = SFT.find((s) => s.id === "held-out-0007").output;
  assert.equal(await page.locator("#sample pre").textContent(), hostile);
  await page.waitForTimeout(200);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator("#sample img, #sample svg, #sample script").count(), 0);
  assert.deepEqual(noise, []);
  await context.close();
});

test("a failure shows its error, a choice its marks, an address its sample", async () => {
  const { context, page } = await open({ hash: "#sample=held-out-0008" });
  assert.match(await page.locator("#sample").innerText(), /no such clip/);
  const wrong = SFT.find((s) => s.verdict === "wrong" && s.choices.includes(s.output));
  await page.locator("#text").fill(wrong.id);
  const marks = await page.locator(".choices li").evaluateAll((all) => all.map((li) => [li.firstChild.textContent, li.lastChild.textContent]));
  const gold = marks.filter(([, tags]) => tags.includes("right answer")).map(([choice]) => choice);
  const given = marks.filter(([, tags]) => tags.includes("given")).map(([choice]) => choice);
  assert.deepEqual(given, [wrong.output]);
  assert.equal(gold.length, 1);
  assert.notEqual(gold[0], given[0]);
  assert.match(await page.locator("#sample").innerText(), new RegExp(wrong.prompt_sha256));
  await context.close();
});

test("light and dark, wide and narrow: readable, and nothing stands out to the side", async () => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 420]) {
      const { context, page, noise } = await open({ colorScheme, viewport: { width, height: 900 } });
      const [paper, ink] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
      const light = (rgb) => rgb.match(/\d+/g).slice(0, 3).reduce((sum, v) => sum + Number(v), 0) / 3;
      assert.equal(light(paper) > light(ink), colorScheme === "light", `${colorScheme}: ${ink} on ${paper}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(overflow <= 0, `${width} px: ${overflow} px too wide`);
      assert.deepEqual(noise, []);
      await context.close();
    }
  }
});

test("a thousand samples: few rows in the page, and a filter answers at once", async () => {
  const { context, page } = await open();
  await pick(page, "other", "GRPO <G = 8>");
  const slowest = await page.evaluate(() => {
    const took = [];
    const change = (id, value, event) => {
      const start = performance.now();
      const control = document.getElementById(id);
      control.value = value;
      control.dispatchEvent(new Event(event));
      document.body.getBoundingClientRect(); // layout is part of it
      took.push(performance.now() - start);
    };
    for (const task of ["sound", "music", "speech", ""]) change("task", task, "change");
    for (const text of ["clip", "clip 1", "dog", "zzz", ""]) change("text", text, "input");
    for (const flips of ["gained", "lost", "all", ""]) change("flips", flips, "change");
    return Math.max(...took);
  });
  assert.ok(slowest < BOUND_MS, `${slowest} ms`);
  assert.equal(await page.locator("#rows tbody tr").count(), 20);
  assert.ok(await page.evaluate(() => document.querySelectorAll("*").length) < 8000);
  await context.close();
});

test("axe finds nothing to complain about, light and dark", async () => {
  const axe = readFileSync(join(here, "node_modules/axe-core/axe.min.js"), "utf8");
  for (const colorScheme of ["light", "dark"]) {
    const { context, page } = await open({ colorScheme, bypassCSP: true });
    await pick(page, "other", "GRPO <G = 8>");
    await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
    await page.evaluate(axe);
    const result = await page.evaluate(() => window.axe.run(document));
    const found = result.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
    assert.deepEqual(found, []);
    assert.ok(result.passes.length > 20, "it looked at the page");
    await context.close();
  }
});
