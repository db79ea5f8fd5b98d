import { selectTests } from "./scripts/select-tests.mjs";

/** Which suites run depends on what this machine has; `selectTests` decides, and says so in one line each. */
export default {
  rootDir: import.meta.dirname,
  testEnvironment: "<rootDir>/scripts/jest-environment.mjs",
  globalSetup: "<rootDir>/scripts/jest-global-setup.mjs",
  globalTeardown: "<rootDir>/scripts/jest-global-teardown.mjs",
  extensionsToTreatAsEsm: [".ts"],
  transform: {
    "\\.ts$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2024" }, module: { type: "es6" }, sourceMaps: "inline" },
    ],
  },
  testMatch: ["<rootDir>/{packages,apps,tests,bench,compat}/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/", ...selectTests()],
  modulePathIgnorePatterns: ["<rootDir>/.scribe/", "<rootDir>/.tsbuild/"],
  reporters: ["default", "<rootDir>/scripts/closing-line-reporter.mjs"],
  testTimeout: 120_000,
};
