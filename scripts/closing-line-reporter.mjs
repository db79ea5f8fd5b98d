/**
 * Ends a run with one line, alone on standard output: `N passed, N failed`. A suite that could not run counts as a
 * failure. In a whole run nothing may be skipped or left as todo: that fails too, and is counted in the line.
 */
export default class ClosingLineReporter {
  constructor(globalConfig) {
    this.isWhole = !globalConfig.testNamePattern;
  }

  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const left = this.isWhole ? results.numPendingTests + results.numTodoTests : 0;
    this.fault = left > 0 ? new Error(`${left} tests are skipped or todo.`) : undefined;
    // After the summary, which jest writes to standard error in the same turn.
    setImmediate(() => {
      process.stdout.write(
        `${results.numPassedTests} passed, ${failed} failed${left > 0 ? `, ${left} left out` : ""}\n`,
      );
    });
  }

  getLastError() {
    return this.fault;
  }
}
