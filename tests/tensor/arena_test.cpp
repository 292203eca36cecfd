#include "tensor/arena.h"

#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

TEST(Arena, ReusesWhatWasReleased) {
  Arena a(true);
  void* first = a.allocate(1000);
  const auto peak = a.peak();
  a.release(first, 1000);
  EXPECT_EQ(a.allocate(1000), first);
  EXPECT_EQ(a.peak(), peak);
  a.release(first, 1000);
  EXPECT_EQ(a.in_use(), 0u);
}

TEST(Arena, AllocationsDoNotOverlapAndKeepTheirValues) {
  Arena a(true);
  struct Block {
    unsigned char* data;
    std::size_t size;
    unsigned char value;
  };
  std::vector<Block> live;
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    if (live.size() > 20 || (!live.empty() && random() % 2)) {
      const auto at = random() % live.size();
      const Block b = live[at];
      for (std::size_t k = 0; k < b.size; ++k) ASSERT_EQ(b.data[k], b.value);
      a.release(b.data, b.size);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      const std::size_t size = 1 + random() % 5000;
      auto* p = static_cast<unsigned char*>(a.allocate(size));
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(p) % 64, 0u);
      std::memset(p, i & 255, size);
      live.push_back({p, size, static_cast<unsigned char>(i & 255)});
    }
  }
  for (const auto& b : live) a.release(b.data, b.size);
  EXPECT_EQ(a.in_use(), 0u);
}

// What `mezzo plan` relies on: without memory behind it, the arena arrives at the same peak.
TEST(Arena, CountsTheSameWithoutMemory) {
  Arena real(true), meta(false);
  std::vector<std::pair<void*, void*>> live;
  std::vector<std::size_t> sizes;
  std::mt19937 random(2);
  for (int i = 0; i < 1000; ++i) {
    if (live.size() > 10) {
      const auto at = static_cast<std::ptrdiff_t>(random() % live.size());
      real.release(live[static_cast<std::size_t>(at)].first, sizes[static_cast<std::size_t>(at)]);
      meta.release(live[static_cast<std::size_t>(at)].second, sizes[static_cast<std::size_t>(at)]);
      live.erase(live.begin() + at);
      sizes.erase(sizes.begin() + at);
    }
    const std::size_t size = random() % 100000;
    live.emplace_back(real.allocate(size), meta.allocate(size));
    sizes.push_back(size);
  }
  EXPECT_EQ(real.peak(), meta.peak());
  EXPECT_EQ(real.in_use(), meta.in_use());
  for (std::size_t i = 0; i < live.size(); ++i) real.release(live[i].first, sizes[i]);
}

TEST(Arena, LimitIsHardAndTheArenaStaysUsable) {
  Arena a(true, 1 << 20);
  void* p = a.allocate(900 << 10);
  EXPECT_THROW(a.allocate(200 << 10), OutOfMemory);
  EXPECT_THROW(a.allocate(50 << 10, 200 << 10), OutOfMemory) << "with what is used beside it";
  void* q = a.allocate(50 << 10);
  a.release(q, 50 << 10);
  a.release(p, 900 << 10);
  EXPECT_EQ(a.in_use(), 0u);
  EXPECT_THROW(a.allocate(SIZE_MAX / 2), OutOfMemory);
}

TEST(Arena, KnowsWhatIsResident) {
  Arena a(false);
  void* p = a.allocate(4 << 20);
  void* q = a.allocate(4 << 20);
  a.release(q, 4 << 20);
  EXPECT_GT(a.resident(), std::size_t{8} << 20) << "pages stay until they are given back";
  a.trim();
  EXPECT_LT(a.resident(), std::size_t{5} << 20);
  EXPECT_GT(a.peak(), std::size_t{8} << 20);
  a.release(p, 4 << 20);
}

TEST(Arena, TrimmedMemoryIsUsableAgain) {
  Arena a(true);
  auto* p = static_cast<char*>(a.allocate(8 << 20));
  std::memset(p, 1, 8 << 20);
  a.release(p, 8 << 20);
  a.trim();
  p = static_cast<char*>(a.allocate(8 << 20));
  p[(8 << 20) - 1] = 5;
  EXPECT_EQ(p[0], 0) << "the system handed out fresh pages";
  a.release(p, 8 << 20);
}

}  // namespace
}  // namespace mezzo
