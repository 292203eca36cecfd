#include "base/machine_memory.h"

#include <unistd.h>

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(MachineMemory, IsMoreThanThisProcessHoldsAndLessThanTheMachineHas) {
  const auto installed = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  EXPECT_GT(usable_memory(), 1u << 20);
  EXPECT_LE(usable_memory(), installed);
}

}  // namespace
}  // namespace mezzo
