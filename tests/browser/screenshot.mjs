// `screenshot.mjs PAGE[#SECTION] OUT.png [WIDTH|WIDTHxHEIGHT] [light|dark]`: see scripts/page-screenshot.sh.
import { pathToFileURL } from "node:url";
import { launch } from "./launch.mjs";

const [place, out, size = "1280", colorScheme = "light"] = process.argv.slice(2);
const [, width, height] = size.match(/^([1-9][0-9]*)(?:x([1-9][0-9]*))?$/) ?? [];
if (!width || !["light", "dark"].includes(colorScheme)) {
  console.error(`page-screenshot: expected a size like 1280 or 1280x900 and light or dark, found ${size} ${colorScheme}`);
  process.exit(2);
}
const [path, section] = place.split("#");
const browser = await launch();
const viewport = { width: Number(width), height: Number(height ?? 900) };
const page = await browser.newPage({ viewport, colorScheme, reducedMotion: "reduce" });
await page.goto(pathToFileURL(path) + (section ? `#${section}` : ""));
await page.waitForSelector("#rows tbody tr");
await page.screenshot({ path: out, fullPage: !height });
await browser.close();
console.log(out);
