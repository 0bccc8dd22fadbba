// y = x Wᵀ + b for a few rows of x, float32. Compiled once for each instruction set; `skinny.rs` has the contract.
//
// A matrix product of one to a few rows reads every weight once and uses it once a row: what it costs is reading the weights. A general product packs
// its operands first and reaches a quarter of the memory's speed here. This one streams rows of W as they lie in memory, several at a time, against all
// rows of x, which stay in the cache, and asks for what comes 8 KB later. Every sum runs over k in the same order whatever the number of rows or threads: a
// row's result does not depend on its batch.

#include "lanes.h"

namespace {

// How far ahead of the weights that are read others are asked for, in floats.
constexpr int64_t AHEAD = 2048;

// R rows of W against M rows of x.
template <int R, int M>
inline void tile(const float *x, int64_t k, const float *w, const float *bias, float *y, int64_t y_stride) {
  Lanes sums[R][M] = {};
  int64_t i = 0;
  for (; i + LANES <= k; i += LANES) {
    Lanes weights[R];
    for (int r = 0; r < R; ++r) {
      weights[r] = load(w + r * k + i);
      soon(w + r * k + i + AHEAD);
    }
    for (int m = 0; m < M; ++m) {
      const Lanes value = load(x + m * k + i);
      for (int r = 0; r < R; ++r) sums[r][m] += weights[r] * value;
    }
  }
  for (int r = 0; r < R; ++r)
    for (int m = 0; m < M; ++m) {
      float total = sum(sums[r][m]);
      for (int64_t j = i; j < k; ++j) total += w[r * k + j] * x[m * k + j];
      y[m * y_stride + r] = bias ? total + bias[r] : total;
    }
}

// R rows of W against all rows of x, the largest tiles first.
template <int R>
inline void rows(const float *x, int64_t m, int64_t k, const float *w, const float *bias, float *y, int64_t y_stride) {
  for (; m >= 8; m -= 8, x += 8 * k, y += 8 * y_stride) tile<R, 8>(x, k, w, bias, y, y_stride);
  for (; m >= 4; m -= 4, x += 4 * k, y += 4 * y_stride) tile<R, 4>(x, k, w, bias, y, y_stride);
  for (; m >= 2; m -= 2, x += 2 * k, y += 2 * y_stride) tile<R, 2>(x, k, w, bias, y, y_stride);
  if (m > 0) tile<R, 1>(x, k, w, bias, y, y_stride);
}

}  // namespace

// `count` rows of `w` [count, k] against `x` [m, k], to columns of `y` with `y_stride` values a row.
extern "C" void LANED(aqa_skinny_rows)(const float *x, int64_t m, int64_t k, const float *w, const float *bias, int64_t count, float *y, int64_t y_stride) {
  constexpr int R = LANES == 16 ? 3 : 1;  // sums of R x 8 vectors stay in the registers
  int64_t r = 0;
  if (m <= 2) {
    for (; r + 4 <= count; r += 4) rows<4>(x, m, k, w + r * k, bias ? bias + r : nullptr, y + r, y_stride);
  } else {
    for (; r + R <= count; r += R) rows<R>(x, m, k, w + r * k, bias ? bias + r : nullptr, y + r, y_stride);
  }
  for (; r < count; ++r) rows<1>(x, m, k, w + r * k, bias ? bias + r : nullptr, y + r, y_stride);
}
