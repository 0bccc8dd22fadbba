// A headless Chromium that keeps to itself.
import { chromium } from "playwright-core";

const QUIET = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
];

/** Starts the one that AQA_CHROMIUM names; `scripts/browser.sh` finds it. */
export function launch() {
  if (!process.env.AQA_CHROMIUM) throw new Error("AQA_CHROMIUM names no browser: run scripts/test-browser.sh or scripts/page-screenshot.sh");
  return chromium.launch({ executablePath: process.env.AQA_CHROMIUM, args: QUIET });
}
