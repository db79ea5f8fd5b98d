/** Where exports put a network, the exact one first. */
export const NETWORK_PLACES = ["onnx/model.onnx", "model.onnx"];
