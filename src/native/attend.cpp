// Attention of one decode step, float32: the new tokens of one question's completions against one head of their shared prompt and of their own keys and
// values. Compiled once for each instruction set; `attend.rs` has the contract.
//
// The prompt's keys and values are read once for all completions of the question. Its keys lie [head_dim, positions], so that scores of neighbouring positions
// are summed side by side; its values, and the completions' own keys and values, lie [positions, head_dim].

#include <cstdint>
#include <cstring>

#if defined(SKINNY_AVX512)
#define LANES 16
#define NAME aqa_attend_avx512
#elif defined(SKINNY_AVX2)
#define LANES 8
#define NAME aqa_attend_avx2
#else
#error "an instruction set must be named"
#endif

// As `Call` in attend.rs, field by field.
struct Call {
  const float *q;
  int64_t n, d;
  const float *prompt_keys, *prompt_values;
  int64_t positions, pads;
  const float *const *keys, *const *values;
  int64_t own;
  float *scores, *out;
};

namespace {

typedef float Lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t Ints __attribute__((vector_size(LANES * sizeof(int32_t))));

inline Lanes load(const float *p) {
  Lanes v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline void store(float *p, const Lanes &v) { std::memcpy(p, &v, sizeof v); }

inline float sum(const Lanes &v) {
  float total = 0;
  for (int i = 0; i < LANES; ++i) total += v[i];
  return total;
}

// e^x for x <= 0 to 2 units in the last place: x = n ln 2 + r, a polynomial in r (Cephes' expf), the exponent moved by n.
inline Lanes exponential(Lanes x) {
  x = x < -87.0f ? Lanes{} - 87.0f : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const Lanes shifted = x * 1.44269504088896341f + magic;
  const Lanes n = shifted - magic;
  const Lanes r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  Ints exponent, bits;
  std::memcpy(&exponent, &shifted, sizeof exponent);
  std::memcpy(&bits, &p, sizeof bits);
  bits += exponent << 23;
  std::memcpy(&p, &bits, sizeof p);
  return p;
}

// Scores of N queries [N, d] against positions [from, to) of keys [d, stride].
template <int N>
inline void prompt_scores(const float *q, int64_t d, const float *keys, int64_t stride, int64_t from, int64_t to, float *scores, int64_t width) {
  int64_t j = from;
  for (; j + 2 * LANES <= to; j += 2 * LANES) {
    Lanes sums[N][2] = {};
    for (int64_t i = 0; i < d; ++i) {
      const Lanes a = load(keys + i * stride + j), b = load(keys + i * stride + j + LANES);
      for (int n = 0; n < N; ++n) {
        sums[n][0] += q[n * d + i] * a;
        sums[n][1] += q[n * d + i] * b;
      }
    }
    for (int n = 0; n < N; ++n) {
      store(scores + n * width + j, sums[n][0]);
      store(scores + n * width + j + LANES, sums[n][1]);
    }
  }
  for (; j < to; ++j)
    for (int n = 0; n < N; ++n) {
      float total = 0;
      for (int64_t i = 0; i < d; ++i) total += q[n * d + i] * keys[i * stride + j];
      scores[n * width + j] = total;
    }
}

// Adds the values [to, d] of positions [from, to), weighted, to N outputs [N, d]; V vectors of d at a time.
template <int N, int V>
inline void prompt_values(const float *weights, int64_t width, const float *values, int64_t d, int64_t from, int64_t to, float *out) {
  for (int64_t at = 0; at < d; at += V * LANES) {
    Lanes sums[N][V] = {};
    for (int64_t j = from; j < to; ++j)
      for (int v = 0; v < V; ++v) {
        const Lanes value = load(values + j * d + at + v * LANES);
        for (int n = 0; n < N; ++n) sums[n][v] += weights[n * width + j] * value;
      }
    for (int n = 0; n < N; ++n)
      for (int v = 0; v < V; ++v) store(out + n * d + at + v * LANES, sums[n][v]);
  }
}

// In place: e^(score - largest) of [from, to); returns their sum.
inline float soften(float *scores, int64_t from, int64_t to) {
  float largest = scores[from];
  for (int64_t j = from; j < to; ++j) largest = scores[j] > largest ? scores[j] : largest;
  Lanes total = {};
  int64_t j = from;
  for (; j + LANES <= to; j += LANES) {
    const Lanes e = exponential(load(scores + j) - largest);
    store(scores + j, e);
    total += e;
  }
  float rest = 0;
  for (; j < to; ++j) {
    const Lanes e = exponential(Lanes{} + (scores[j] - largest));
    scores[j] = e[0];
    rest += e[0];
  }
  return sum(total) + rest;
}

template <int N>
inline void queries(const Call &call, int64_t first) {
  const int64_t d = call.d, own = call.own, positions = call.positions, pads = call.pads, width = positions + own;
  const float *q = call.q + first * d, *const *keys = call.keys + first, *const *values = call.values + first;
  float *scores = call.scores, *out = call.out + first * d;
  prompt_scores<N>(q, d, call.prompt_keys, positions, pads, positions, scores, width);
  float scale[N];
  for (int n = 0; n < N; ++n) {
    float *row = scores + n * width;
    for (int64_t j = 0; j < own; ++j) {
      Lanes total = {};
      for (int64_t i = 0; i < d; i += LANES) total += load(q + n * d + i) * load(keys[n] + j * d + i);
      row[positions + j] = sum(total);
    }
    scale[n] = 1.0f / soften(row, pads, width);
  }
  if (d % (2 * LANES) == 0)
    prompt_values<N, 2>(scores, width, call.prompt_values, d, pads, positions, out);
  else
    prompt_values<N, 1>(scores, width, call.prompt_values, d, pads, positions, out);
  for (int n = 0; n < N; ++n)
    for (int64_t i = 0; i < d; i += LANES) {
      Lanes total = load(out + n * d + i);
      for (int64_t j = 0; j < own; ++j) total += scores[n * width + positions + j] * load(values[n] + j * d + i);
      store(out + n * d + i, total * scale[n]);
    }
}

}  // namespace

// A query's sums run in the same order whatever the number of queries.
extern "C" void NAME(const Call *call) {
  int64_t at = 0;
  for (; call->n - at >= 8; at += 8) queries<8>(*call, at);
  for (; call->n - at >= 4; at += 4) queries<4>(*call, at);
  for (; call->n - at >= 2; at += 2) queries<2>(*call, at);
  if (call->n > at) queries<1>(*call, at);
}
