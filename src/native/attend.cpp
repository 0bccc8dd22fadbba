// Attention of one decode step, float32: the new tokens of one question's completions against one head of their shared prompt and of their own keys and
// values. Compiled once for each instruction set; `attend.rs` has the contract.
//
// The prompt's keys and values are read once for all completions of the question, and what they cost is reading them: parts that compute ask meanwhile for what
// is read next. The prompt's keys lie [head_dim, positions], so that scores of neighbouring positions are summed side by side; its values, and the completions'
// own keys and values, lie [positions, head_dim].

#include "lanes.h"

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

typedef int32_t Ints __attribute__((vector_size(LANES * sizeof(int32_t))));

// How far ahead of the keys and values of a prompt that are read others are asked for, in floats.
constexpr int64_t AHEAD = 4096;
// Vectors of sums that the registers hold beside what is added to them.
constexpr int SUMS = LANES == 16 ? 16 : 8;

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

inline float largest(const float *scores, int64_t from, int64_t to) {
  Lanes most = Lanes{} + scores[from];
  int64_t j = from;
  for (; j + LANES <= to; j += LANES) {
    const Lanes v = load(scores + j);
    most = v > most ? v : most;
  }
  float found = most[0];
  for (int i = 1; i < LANES; ++i) found = most[i] > found ? most[i] : found;
  for (; j < to; ++j) found = scores[j] > found ? scores[j] : found;
  return found;
}

// In place: e^(score - largest) of [from, to); returns their sum.
inline float soften(float *scores, int64_t from, int64_t to) {
  const float most = largest(scores, from, to);
  Lanes total = {};
  int64_t j = from;
  for (; j + LANES <= to; j += LANES) {
    const Lanes e = exponential(load(scores + j) - most);
    store(scores + j, e);
    total += e;
  }
  float rest = 0;
  for (; j < to; ++j) {
    const Lanes e = exponential(Lanes{} + (scores[j] - most));
    scores[j] = e[0];
    rest += e[0];
  }
  return sum(total) + rest;
}

// Scores of N queries [N, d] against a vector of positions from `j` on, `count` of which are there, summed down all keys [d, stride].
template <int N>
inline void vector_scores(const float *q, int64_t d, const float *keys, int64_t stride, int64_t j, int64_t count, float *scores, int64_t width) {
  Lanes sums[N] = {};
  for (int64_t i = 0; i < d; ++i) {
    Lanes key = {};
    if (count == LANES) key = load(keys + i * stride + j);
    else std::memcpy(&key, keys + i * stride + j, count * sizeof(float));
    for (int n = 0; n < N; ++n) sums[n] += q[n * d + i] * key;
  }
  for (int n = 0; n < N; ++n) std::memcpy(scores + n * width + j, &sums[n], count * sizeof(float));
}

// Scores of positions [from, to): two vectors of positions at a time, down all keys.
template <int N>
inline void down_the_keys(const float *q, int64_t d, const float *keys, int64_t stride, int64_t from, int64_t to, float *scores, int64_t width) {
  int64_t j = from;
  for (; j + 2 * LANES <= to; j += 2 * LANES) {
    Lanes sums[N][2] = {};
    for (int64_t i = 0; i < d; ++i) {
      const float *key = keys + i * stride + j;
      const Lanes a = load(key), b = load(key + LANES);
      soon(key + 4 * LANES);
      soon(key + 5 * LANES);
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
  if (j + LANES <= to) vector_scores<N>(q, d, keys, stride, j, LANES, scores, width);
}

// The same, in the same order, for one query or two, where reading is all the cost: the keys as they lie, two rows of them at a time, d being even.
template <int N>
inline void as_keys_lie(const float *q, int64_t d, const float *keys, int64_t stride, int64_t from, int64_t to, float *scores, int64_t width) {
  const int64_t whole = (to - from) / LANES * LANES;
  for (int n = 0; n < N; ++n) std::memset(scores + n * width + from, 0, whole * sizeof(float));
  for (int64_t i = 0; i < d; i += 2) {
    const float *first = keys + i * stride, *second = first + stride;
    for (int64_t j = from; j < from + whole; j += LANES) {
      const Lanes a = load(first + j), b = load(second + j);
      soon(first + j + AHEAD);
      soon(second + j + AHEAD);
      for (int n = 0; n < N; ++n) {
        float *at = scores + n * width + j;
        Lanes total = load(at);
        total += q[n * d + i] * a;
        total += q[n * d + i + 1] * b;
        store(at, total);
      }
    }
  }
}

// Scores of N queries against positions [from, to). What fills no vector is summed with what lies before it: a position's sum is the same by every way.
template <int N>
inline void prompt_scores(const float *q, int64_t d, const float *keys, int64_t stride, int64_t from, int64_t to, float *scores, int64_t width) {
  constexpr auto whole = N <= 2 ? as_keys_lie<N> : down_the_keys<N>;
  whole(q, d, keys, stride, from, to, scores, width);
  const int64_t count = to - from < LANES ? to - from : LANES;
  if ((to - from) % LANES != 0) vector_scores<N>(q, d, keys, stride, to - count, count, scores, width);
}

// The weighted sum of the values [to, d] of positions [from, to) for N queries; V vectors of d from `at` on.
template <int N, int V>
inline void prompt_values(const float *weights, int64_t width, const float *values, int64_t d, int64_t from, int64_t to, int64_t at, float *out) {
  Lanes sums[N][V] = {};
  for (int64_t j = from; j < to; ++j)
    for (int v = 0; v < V; ++v) {
      const float *value = values + j * d + at + v * LANES;
      soon(value + AHEAD);
      for (int n = 0; n < N; ++n) sums[n][v] += weights[n * width + j] * load(value);
    }
  for (int n = 0; n < N; ++n)
    for (int v = 0; v < V; ++v) store(out + n * d + at + v * LANES, sums[n][v]);
}

// The same for all of d from `at` on, V vectors at a time while there are so many.
template <int N, int V>
inline void all_prompt_values(const float *weights, int64_t width, const float *values, int64_t d, int64_t from, int64_t to, int64_t at, float *out) {
  for (; at + V * LANES <= d; at += V * LANES) prompt_values<N, V>(weights, width, values, d, from, to, at, out);
  if constexpr (V > 1) all_prompt_values<N, V / 2>(weights, width, values, d, from, to, at, out);
}

// Adds the weighted sum of a query's own values [own, d], and scales; V vectors of d from `at` on.
template <int V>
inline void own_values(const float *weights, const float *values, int64_t d, int64_t own, int64_t at, float scale, float *out) {
  Lanes sums[V];
  for (int v = 0; v < V; ++v) sums[v] = load(out + at + v * LANES);
  for (int64_t j = 0; j < own; ++j)
    for (int v = 0; v < V; ++v) sums[v] += weights[j] * load(values + j * d + at + v * LANES);
  for (int v = 0; v < V; ++v) store(out + at + v * LANES, sums[v] * scale);
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
      for (int64_t i = 0; i < d; i += LANES) {
        total += load(q + n * d + i) * load(keys[n] + j * d + i);
        soon(values[n] + j * d + i);
        if (n + 1 < N) soon(keys[n + 1] + j * d + i);
      }
      row[positions + j] = sum(total);
    }
    scale[n] = 1.0f / soften(row, pads, width);
  }
  constexpr int V = SUMS / N < 8 ? SUMS / N : 8;
  all_prompt_values<N, V>(scores, width, call.prompt_values, d, pads, positions, 0, out);
  for (int n = 0; n < N; ++n) {
    const float *row = scores + n * width + positions;
    int64_t at = 0;
    for (; at + 4 * LANES <= d; at += 4 * LANES) own_values<4>(row, values[n], d, own, at, scale[n], out + n * d);
    for (; at < d; at += LANES) own_values<1>(row, values[n], d, own, at, scale[n], out + n * d);
  }
}

}  // namespace

// A query's sums run in the same order whatever the number of queries.
extern "C" void LANED(aqa_attend)(const Call *call) {
  int64_t at = 0;
  for (; call->n - at >= 8; at += 8) queries<8>(*call, at);
  for (; call->n - at >= 4; at += 4) queries<4>(*call, at);
  for (; call->n - at >= 2; at += 2) queries<2>(*call, at);
  if (call->n > at) queries<1>(*call, at);
}
