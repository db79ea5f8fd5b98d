/**
 * A complex discrete Fourier transform of a fixed size: self-sorting mixed radix (Stockham), factors 4, 5, 3, 2 unrolled
 * and any other prime by its definition. Works on buffers of its own: put the input into `real` and `imaginary`, call
 * `transform`, and read the result from the arrays that it returns.
 */
export class Fourier {
  readonly size: number;
  readonly real: Float64Array;
  readonly imaginary: Float64Array;
  readonly #spareReal: Float64Array;
  readonly #spareImaginary: Float64Array;
  readonly #factors: number[];
  /** cos and sin of -2πk/size. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;

  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`transform size ${size}`);
    this.size = size;
    this.real = new Float64Array(size);
    this.imaginary = new Float64Array(size);
    this.#spareReal = new Float64Array(size);
    this.#spareImaginary = new Float64Array(size);
    this.#factors = factorise(size);
    this.#cos = new Float64Array(size);
    this.#sin = new Float64Array(size);
    for (let k = 0; k < size; k++) {
      this.#cos[k] = Math.cos((-2 * Math.PI * k) / size);
      this.#sin[k] = Math.sin((-2 * Math.PI * k) / size);
    }
  }

  /** Transforms what `real` and `imaginary` hold (they are overwritten); the result is valid until the next call. */
  transform(): { real: Float64Array; imaginary: Float64Array } {
    let [fromReal, fromImaginary] = [this.real, this.imaginary];
    let [toReal, toImaginary] = [this.#spareReal, this.#spareImaginary];
    let stride = 1;
    for (const radix of this.#factors) {
      const length = this.size / stride;
      this.#pass(radix, length / radix, stride, fromReal, fromImaginary, toReal, toImaginary);
      [fromReal, toReal] = [toReal, fromReal];
      [fromImaginary, toImaginary] = [toImaginary, fromImaginary];
      stride *= radix;
    }
    return { real: fromReal, imaginary: fromImaginary };
  }

  #pass(
    radix: number,
    blocks: number,
    stride: number,
    xr: Float64Array,
    xi: Float64Array,
    yr: Float64Array,
    yi: Float64Array,
  ) {
    if (radix === 4) this.#pass4(blocks, stride, xr, xi, yr, yi);
    else if (radix === 5) this.#pass5(blocks, stride, xr, xi, yr, yi);
    else this.#passAny(radix, blocks, stride, xr, xi, yr, yi);
  }

  #pass4(m: number, s: number, xr: Float64Array, xi: Float64Array, yr: Float64Array, yi: Float64Array) {
    const span = s * m;
    for (let p = 0; p < m; p++) {
      const w1r = this.#cos[p * s];
      const w1i = this.#sin[p * s];
      const w2r = this.#cos[2 * p * s];
      const w2i = this.#sin[2 * p * s];
      const w3r = this.#cos[3 * p * s];
      const w3i = this.#sin[3 * p * s];
      for (let q = 0; q < s; q++) {
        const a = q + s * p;
        const b = a + span;
        const c = b + span;
        const d = c + span;
        const sumR = xr[a] + xr[c];
        const sumI = xi[a] + xi[c];
        const differenceR = xr[a] - xr[c];
        const differenceI = xi[a] - xi[c];
        const oddR = xr[b] + xr[d];
        const oddI = xi[b] + xi[d];
        // -i (x[b] - x[d])
        const turnedR = xi[b] - xi[d];
        const turnedI = xr[d] - xr[b];
        const out = q + s * 4 * p;
        yr[out] = sumR + oddR;
        yi[out] = sumI + oddI;
        const t1r = differenceR + turnedR;
        const t1i = differenceI + turnedI;
        yr[out + s] = t1r * w1r - t1i * w1i;
        yi[out + s] = t1r * w1i + t1i * w1r;
        const t2r = sumR - oddR;
        const t2i = sumI - oddI;
        yr[out + 2 * s] = t2r * w2r - t2i * w2i;
        yi[out + 2 * s] = t2r * w2i + t2i * w2r;
        const t3r = differenceR - turnedR;
        const t3i = differenceI - turnedI;
        yr[out + 3 * s] = t3r * w3r - t3i * w3i;
        yi[out + 3 * s] = t3r * w3i + t3i * w3r;
      }
    }
  }

  #pass5(m: number, s: number, xr: Float64Array, xi: Float64Array, yr: Float64Array, yi: Float64Array) {
    const c1 = Math.cos((2 * Math.PI) / 5);
    const c2 = Math.cos((4 * Math.PI) / 5);
    const s1 = Math.sin((2 * Math.PI) / 5);
    const s2 = Math.sin((4 * Math.PI) / 5);
    const span = s * m;
    for (let p = 0; p < m; p++) {
      const w1r = this.#cos[p * s];
      const w1i = this.#sin[p * s];
      const w2r = this.#cos[2 * p * s];
      const w2i = this.#sin[2 * p * s];
      const w3r = this.#cos[3 * p * s];
      const w3i = this.#sin[3 * p * s];
      const w4r = this.#cos[4 * p * s];
      const w4i = this.#sin[4 * p * s];
      for (let q = 0; q < s; q++) {
        const i0 = q + s * p;
        const i1 = i0 + span;
        const i2 = i1 + span;
        const i3 = i2 + span;
        const i4 = i3 + span;
        const p1r = xr[i1] + xr[i4];
        const p1i = xi[i1] + xi[i4];
        const m1r = xr[i1] - xr[i4];
        const m1i = xi[i1] - xi[i4];
        const p2r = xr[i2] + xr[i3];
        const p2i = xi[i2] + xi[i3];
        const m2r = xr[i2] - xr[i3];
        const m2i = xi[i2] - xi[i3];
        const x0r = xr[i0];
        const x0i = xi[i0];
        const e1r = x0r + c1 * p1r + c2 * p2r;
        const e1i = x0i + c1 * p1i + c2 * p2i;
        const e2r = x0r + c2 * p1r + c1 * p2r;
        const e2i = x0i + c2 * p1i + c1 * p2i;
        // -i times the odd parts
        const o1r = s1 * m1i + s2 * m2i;
        const o1i = -(s1 * m1r + s2 * m2r);
        const o2r = s2 * m1i - s1 * m2i;
        const o2i = -(s2 * m1r - s1 * m2r);
        const out = q + s * 5 * p;
        yr[out] = x0r + p1r + p2r;
        yi[out] = x0i + p1i + p2i;
        const b1r = e1r + o1r;
        const b1i = e1i + o1i;
        yr[out + s] = b1r * w1r - b1i * w1i;
        yi[out + s] = b1r * w1i + b1i * w1r;
        const b2r = e2r + o2r;
        const b2i = e2i + o2i;
        yr[out + 2 * s] = b2r * w2r - b2i * w2i;
        yi[out + 2 * s] = b2r * w2i + b2i * w2r;
        const b3r = e2r - o2r;
        const b3i = e2i - o2i;
        yr[out + 3 * s] = b3r * w3r - b3i * w3i;
        yi[out + 3 * s] = b3r * w3i + b3i * w3r;
        const b4r = e1r - o1r;
        const b4i = e1i - o1i;
        yr[out + 4 * s] = b4r * w4r - b4i * w4i;
        yi[out + 4 * s] = b4r * w4i + b4i * w4r;
      }
    }
  }

  #passAny(r: number, m: number, s: number, xr: Float64Array, xi: Float64Array, yr: Float64Array, yi: Float64Array) {
    const size = this.size;
    for (let p = 0; p < m; p++) {
      for (let q = 0; q < s; q++) {
        for (let j = 0; j < r; j++) {
          let real = 0;
          let imaginary = 0;
          for (let k = 0; k < r; k++) {
            // exp(-2πi jk/r) · exp(-2πi pj/(rm)), both as steps of the whole circle
            const turn = (((j * k) % r) * (size / r) + p * j * s) % size;
            const index = q + s * (p + m * k);
            real += xr[index] * this.#cos[turn] - xi[index] * this.#sin[turn];
            imaginary += xr[index] * this.#sin[turn] + xi[index] * this.#cos[turn];
          }
          yr[q + s * (r * p + j)] = real;
          yi[q + s * (r * p + j)] = imaginary;
        }
      }
    }
  }
}

/** Radices of a size, fours before other primes. */
function factorise(size: number): number[] {
  const factors: number[] = [];
  let rest = size;
  for (const radix of [4, 2, 3]) {
    for (; rest % radix === 0; rest /= radix) factors.push(radix);
  }
  for (let radix = 5; rest > 1; radix += 2) {
    for (; rest % radix === 0; rest /= radix) factors.push(radix);
  }
  return factors;
}
