// Any text as a scheduler_config.json: a schedule of ten steps, or a LoadError or UsageError.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "mezzotint/errors.h"
#include "sampling/diffusers_schedule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  try {
    const sampling::SchedulerConfig config(
        parse_json({reinterpret_cast<const char*>(data), size}, "scheduler_config.json"));
    sampling::diffusers_run(config, {.steps = 10});
  } catch (const LoadError&) {
    return 0;
  } catch (const UsageError&) {
    return 0;
  }
  return 0;
}
