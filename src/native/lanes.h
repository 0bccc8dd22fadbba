// Vectors of as many floats as the instruction set has; what the kernels of this folder share. Compiled once for each set, under a name of its own: `LANED(x)`.

#pragma once

#include <cstdint>
#include <cstring>

#if defined(AQA_AVX512)
#define LANES 16
#define LANED(name) name##_avx512
#elif defined(AQA_AVX2)
#define LANES 8
#define LANED(name) name##_avx2
#else
#error "an instruction set must be named"
#endif

namespace {

typedef float Lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef float Eight __attribute__((vector_size(32)));
typedef float Four __attribute__((vector_size(16)));

inline Lanes load(const float *p) {
  Lanes v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline void store(float *p, const Lanes &v) { std::memcpy(p, &v, sizeof v); }

// Asks for what will be read soon, into the second cache. Into the first, a request occupies the place of a read until memory has answered: nothing is gained
// (docs/performance.md). Behind the end of what is there it does no harm.
inline void soon(const float *p) { __builtin_prefetch(p, 0, 2); }

// The two halves of a vector, added.
template <typename Half, typename Whole>
inline Half halves(const Whole &v) {
  Half low, high;
  std::memcpy(&low, &v, sizeof low);
  std::memcpy(&high, reinterpret_cast<const char *>(&v) + sizeof low, sizeof high);
  return low + high;
}

// The same tree whatever the caller: halves added until one number is left.
inline float sum(const Lanes &v) {
#if LANES == 16
  Four four = halves<Four>(halves<Eight>(v));
#else
  Four four = halves<Four>(v);
#endif
  four += __builtin_shufflevector(four, four, 2, 3, 0, 1);
  return four[0] + four[1];
}

}  // namespace
