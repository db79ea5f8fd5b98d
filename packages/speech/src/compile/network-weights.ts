import type { ModelConfig } from "../model/model-config.ts";
import { equalizeInputs } from "./equalize-inputs.ts";
import type { Linear } from "./projection.ts";
import type { Safetensors } from "./read-safetensors.ts";

export type Norm = { name: string; gain: Float32Array; bias: Float32Array };

export type Attention = { query: Linear; key: Linear; value: Linear; out: Linear };

export type EncoderLayer = { selfNorm: Norm; self: Attention; finalNorm: Norm; up: Linear; down: Linear };
export type DecoderLayer = EncoderLayer & { crossNorm: Norm; crossQuery: Linear; crossOut: Linear };

/** Whisper's weights under the names that `transformers` gives them, read when asked for. */
export class NetworkWeights {
  readonly config: ModelConfig;
  readonly #tensors: Safetensors;
  readonly #equalized: boolean;

  /** `equalized`: inputs of matrices behind a LayerNorm are brought to one size; the function stays the same. */
  constructor(config: ModelConfig, tensors: Safetensors, equalized: boolean) {
    this.config = config;
    this.#tensors = tensors;
    this.#equalized = equalized;
  }

  tensor(name: string, ...shape: number[]): Float32Array {
    return this.#tensors.read(`model.${name}`, shape);
  }

  encoderLayer(index: number): EncoderLayer {
    return this.#layer(`encoder.layers.${index}`);
  }

  decoderLayer(index: number): DecoderLayer {
    const prefix = `decoder.layers.${index}`;
    const query = this.#linear(`${prefix}.encoder_attn.q_proj`);
    const { norm, linears } = this.#feed(`${prefix}.encoder_attn_layer_norm`, [query]);
    const crossOut = this.#linear(`${prefix}.encoder_attn.out_proj`);
    return { ...this.#layer(prefix), crossNorm: norm, crossQuery: linears[0], crossOut };
  }

  /** The encoder's last LayerNorm, and the matrices of all decoder layers that read its output: key, value, key … */
  crossInputs(): { norm: Norm; linears: Linear[]; factors: Float32Array } {
    const names = Array.from({ length: this.config.decoder_layers }, (_, i) =>
      ["k_proj", "v_proj"].map((part) => `decoder.layers.${i}.encoder_attn.${part}`),
    );
    return this.#feed(
      "encoder.layer_norm",
      names.flat().map((name) => this.#linear(name)),
    );
  }

  /**
   * The decoder's last LayerNorm and the matrix from it to logits, in two parts: ids below `cut`, and the others. It is
   * the token embedding (`tied`), unless a model has one of its own.
   */
  logits(cut: number): { norm: Norm; linears: Linear[]; tied: boolean } {
    const { vocab_size, d_model: inputs } = this.config;
    const own = "proj_out.weight";
    const tied = !this.#tensors.has(own);
    const all = () =>
      tied
        ? this.tensor("decoder.embed_tokens.weight", vocab_size, inputs)
        : this.#tensors.read(own, [vocab_size, inputs]);
    const part = (name: string, from: number, to: number): Linear => ({
      ...{ name: `logits.${name}`, inputs, outputs: to - from },
      get weights() {
        return all().subarray(from * inputs, to * inputs);
      },
    });
    return { ...this.#feed("decoder.layer_norm", [part("text", 0, cut), part("rest", cut, vocab_size)]), tied };
  }

  #layer(prefix: string): EncoderLayer {
    const parts = ["q_proj", "k_proj", "v_proj"].map((part) => this.#linear(`${prefix}.self_attn.${part}`));
    const first = this.#feed(`${prefix}.self_attn_layer_norm`, parts);
    const [query, key, value] = first.linears;
    const second = this.#feed(`${prefix}.final_layer_norm`, [this.#linear(`${prefix}.fc1`)]);
    return {
      selfNorm: first.norm,
      self: { query, key, value, out: this.#linear(`${prefix}.self_attn.out_proj`) },
      finalNorm: second.norm,
      up: second.linears[0],
      down: this.#linear(`${prefix}.fc2`),
    };
  }

  #feed(norm: string, linears: Linear[]): { norm: Norm; linears: Linear[]; factors: Float32Array } {
    const { d_model } = this.config;
    const plain = {
      name: norm,
      gain: this.tensor(`${norm}.weight`, d_model),
      bias: this.tensor(`${norm}.bias`, d_model),
    };
    if (this.#equalized) return equalizeInputs(plain, linears);
    return { norm: plain, linears, factors: new Float32Array(d_model).fill(1) };
  }

  #linear(name: string): Linear {
    const [outputs, inputs] = this.#tensors.shape(`model.${name}.weight`);
    const hasBias = this.#tensors.has(`model.${name}.bias`);
    const read = () => this.tensor(`${name}.weight`, outputs, inputs);
    return {
      ...{ name, inputs, outputs, bias: hasBias ? this.tensor(`${name}.bias`, outputs) : undefined },
      get weights() {
        return read();
      },
    };
  }
}
