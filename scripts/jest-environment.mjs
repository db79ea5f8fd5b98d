import vm from "node:vm";
import { TestEnvironment } from "jest-environment-node";

/**
 * Native addons (onnxruntime, pg) check `instanceof` against the main realm; jest's sandbox has its own typed arrays
 * and errors, so a tensor made in a test would be refused. The environment shares the main realm's.
 */
export default class MainRealmEnvironment extends TestEnvironment {
  constructor(config, context) {
    const { createContext } = vm;
    // An ordinary global object: through that of a contextified sandbox each `Math` of an inner loop is looked up slowly.
    vm.createContext = () => createContext(vm.constants.DONT_CONTEXTIFY);
    try {
      super(config, context);
    } finally {
      vm.createContext = createContext;
    }
    for (const name of [
      "ArrayBuffer",
      "SharedArrayBuffer",
      "Uint8Array",
      "Int8Array",
      "Uint8ClampedArray",
      "Uint16Array",
      "Int16Array",
      "Uint32Array",
      "Int32Array",
      "Float32Array",
      "Float64Array",
      "BigInt64Array",
      "BigUint64Array",
      "DataView",
      "Error",
      "TypeError",
      "RangeError",
    ]) {
      this.global[name] = globalThis[name];
    }
    if (globalThis.Float16Array) this.global.Float16Array = globalThis.Float16Array;
  }
}
