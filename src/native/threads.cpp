// Runs pieces of a product on the threads that libtorch computes with (one OpenMP pool: two pools would fight for the cores).

#include <cstdint>

extern "C" void aqa_on_threads(int threads, int64_t pieces, void (*piece)(void *, int64_t), void *data) {
  if (threads <= 1 || pieces <= 1) {
    for (int64_t i = 0; i < pieces; ++i) piece(data, i);
    return;
  }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (int64_t i = 0; i < pieces; ++i) piece(data, i);
}
