// Loops over independent pieces of work. The pieces are cut by the shape of the operands, never by
// the number of threads, so that results do not depend on it.
#pragma once

#include <cstdint>
#include <exception>

#include <omp.h>

namespace mezzo {

/// Calls body(i, thread) for i = 0..n-1 on up to `threads` threads, and throws the last exception
/// of a body.
template <class Body>
void parallel_for(int threads, std::int64_t n, const Body& body) {
  if (threads <= 1 || n <= 1) {
    for (std::int64_t i = 0; i < n; ++i) body(i, 0);
    return;
  }
  std::exception_ptr error;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (std::int64_t i = 0; i < n; ++i) {
    try {
      body(i, omp_get_thread_num());
    } catch (...) {
#pragma omp critical(mezzo_parallel_error)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

/// Calls body(begin, end) for consecutive blocks of at most `block` of the numbers 0..n-1.
template <class Body>
void parallel_blocks(int threads, std::int64_t n, std::int64_t block, const Body& body) {
  parallel_for(threads, (n + block - 1) / block, [&](std::int64_t i, int) {
    const std::int64_t begin = i * block, end = begin + block;
    body(begin, end < n ? end : n);
  });
}

/// One for each physical core that this process may use.
int default_threads();

}  // namespace mezzo
