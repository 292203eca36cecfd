#include "server/loaded_models.h"

#include <algorithm>
#include <limits>

#include "mezzotint/files.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMostModels = 4;

std::uint64_t limit_of(const EngineOptions& options) {
  if (options.max_ram > 0) return options.max_ram;
  const std::uint64_t usable = memory_for_process();
  return usable == 0 ? std::numeric_limits<std::uint64_t>::max() : usable / 5 * 4;
}

std::filesystem::file_time_type changed_at(const std::string& path) {
  std::error_code error;
  return std::filesystem::last_write_time(path, error);
}

/// What stays in memory between requests.
std::uint64_t weights_of(const Plan& plan) { return plan.phases.front().weights; }

}  // namespace

LoadedModels::LoadedModels(EngineOptions options)
    : options_(std::move(options)), limit_(limit_of(options_)) {}

void LoadedModels::make_room(std::uint64_t peak) {
  const auto others = [&] {
    std::uint64_t sum = 0;
    for (const Loaded& m : models_) sum += m.weights;
    return sum;
  };
  while (!models_.empty() &&
         (models_.size() >= kMostModels || peak > limit_ || others() > limit_ - peak))
    models_.pop_back();
}

Engine& LoadedModels::get(const std::string& path, const GenerateParams& params,
                          const RunOptions& run) {
  const auto it =
      std::find_if(models_.begin(), models_.end(), [&](const Loaded& m) { return m.path == path; });
  if (it != models_.end() && it->changed == changed_at(path)) {
    models_.splice(models_.begin(), models_, it);
    if (models_.size() > 1) {
      const auto peak = plan(path, options_for(path, options_), params).peak;  // may throw
      std::list<Loaded> wanted;
      wanted.splice(wanted.begin(), models_, models_.begin());
      make_room(peak);
      models_.splice(models_.begin(), wanted);
    }
    return models_.front().engine;
  }
  if (it != models_.end()) models_.erase(it);
  const EngineOptions options = options_for(path, options_);
  const Plan needs = plan(path, options, params);
  make_room(needs.peak);
  const auto changed = changed_at(path);  // before: a file replaced during the load is loaded again
  models_.push_front({.path = path,
                      .changed = changed,
                      .weights = weights_of(needs),
                      .engine = Engine::open(path, options, run)});
  return models_.front().engine;
}

std::vector<std::string> LoadedModels::paths() const {
  std::vector<std::string> list;
  for (const Loaded& m : models_) list.push_back(m.path);
  return list;
}

}  // namespace mezzo::server
