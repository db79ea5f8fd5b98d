import type { ModelConfig } from "../model/model-config.ts";
import type { Linear } from "./projection.ts";
import type { Safetensors } from "./read-safetensors.ts";

export type Norm = { name: string; gain: Float32Array; bias: Float32Array };

export type Attention = { query: Linear; key: Linear; value: Linear; out: Linear };

export type Layer = {
  selfNorm: Norm;
  self: Attention;
  finalNorm: Norm;
  up: Linear;
  down: Linear;
};

/** Whisper's weights under the names that `transformers` gives them, read when asked for. */
export class NetworkWeights {
  readonly config: ModelConfig;
  readonly #tensors: Safetensors;

  constructor(config: ModelConfig, tensors: Safetensors) {
    this.config = config;
    this.#tensors = tensors;
  }

  tensor(name: string, ...shape: number[]): Float32Array {
    return this.#tensors.read(`model.${name}`, shape);
  }

  norm(name: string): Norm {
    const { d_model } = this.config;
    return { name, gain: this.tensor(`${name}.weight`, d_model), bias: this.tensor(`${name}.bias`, d_model) };
  }

  linear(name: string): Linear {
    const [outputs, inputs] = this.#tensors.shape(`model.${name}.weight`);
    const hasBias = this.#tensors.has(`model.${name}.bias`);
    return {
      name,
      weights: this.tensor(`${name}.weight`, outputs, inputs),
      bias: hasBias ? this.tensor(`${name}.bias`, outputs) : undefined,
      inputs,
      outputs,
    };
  }

  attention(name: string): Attention {
    return {
      query: this.linear(`${name}.q_proj`),
      key: this.linear(`${name}.k_proj`),
      value: this.linear(`${name}.v_proj`),
      out: this.linear(`${name}.out_proj`),
    };
  }

  layer(side: "encoder" | "decoder", index: number): Layer {
    const prefix = `${side}.layers.${index}`;
    return {
      selfNorm: this.norm(`${prefix}.self_attn_layer_norm`),
      self: this.attention(`${prefix}.self_attn`),
      finalNorm: this.norm(`${prefix}.final_layer_norm`),
      up: this.linear(`${prefix}.fc1`),
      down: this.linear(`${prefix}.fc2`),
    };
  }

  /** The matrix from the last hidden state to logits: the token embedding, unless a model has one of its own. */
  logits(): Float32Array {
    const { vocab_size, d_model } = this.config;
    const own = "proj_out.weight";
    if (this.#tensors.has(own)) return this.#tensors.read(own, [vocab_size, d_model]);
    return this.tensor("decoder.embed_tokens.weight", vocab_size, d_model);
  }
}
