// What the tests of recorded samplers share: reading an index and its tensors, the recorded noise,
// and a tally.
#pragma once

#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sampling/noise_table.h"
#include "sampling/options.h"
#include "support/goldens.h"
#include "support/safetensors_file.h"

namespace mezzo::sampling::golden {

using nlohmann::json;
using test::SafetensorsFile;

/// An index file and the tensors beside it.
struct Folder {
  json index;
  SafetensorsFile tensors;
  explicit Folder(const test::fs::path& path)
      : index(json::parse(std::ifstream(path))),
        tensors(test::fs::path(path).replace_extension(".safetensors")) {}
};

/// Runs check(folder) for every copy of the index file; skips the test when there is none.
template <class Check>
void for_each_copy(const char* index, Check check_copy) {
  const auto paths = test::golden_paths(index);
  if (paths.empty()) GTEST_SKIP() << "no recorded " << index;
  for (const auto& path : paths) {
    SCOPED_TRACE(path.string());
    check_copy(Folder(path));
  }
}

/// What was compared and what was not, printed at the end.
struct Tally {
  std::string what;
  int passed = 0, failed = 0, errors = 0, missing = 0;
  double worst = 0;  // error over tolerance
  std::set<std::string> missing_names = {};
  ~Tally() {
    std::cout << what << ": " << passed << " passed, " << failed << " failed, " << missing
              << " missing, " << errors << " where the reference itself fails; worst error "
              << worst << " of the tolerance\n";
    if (!missing_names.empty()) {
      std::cout << "missing:";
      for (const auto& name : missing_names) std::cout << " " << name;
      std::cout << "\n";
    }
  }
  void add(double error, double tolerance, const std::string& name) {
    const bool ok = error <= tolerance;
    (ok ? passed : failed)++;
    if (std::isfinite(error)) worst = std::max(worst, error / tolerance);
    EXPECT_TRUE(ok) << name << ": error " << error << ", tolerance " << tolerance;
  }
};

inline double distance(const Latents& a, const std::vector<double>& b, std::size_t row) {
  double d = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double e = std::abs(a[i] - b.at(row * a.size() + i));
    d = std::isnan(e) ? INFINITY : std::max(d, e);
  }
  return d;
}

inline Latents rows(const std::vector<double>& all, std::size_t row, std::size_t width) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * width);
  return Latents(std::vector<double>(begin, begin + static_cast<std::ptrdiff_t>(width)));
}

/// The recorded noise, row after row.
class NoiseRows {
 public:
  NoiseRows(std::vector<double> all, std::size_t width) : all_(std::move(all)), width_(width) {}
  NoiseSource source() {
    next_ = 0;
    return [this](double, double) { return rows(all_, next_++, width_); };
  }

 private:
  std::vector<double> all_;
  std::size_t width_, next_ = 0;
};

template <class F>
Latents map(const Latents& u, F f) {
  Latents out = u;
  for (double& v : out.values()) v = f(v);
  return out;
}

inline SamplerOptions options_of(const json& given) {
  SamplerOptions o;
  if (given.contains("eta")) o.eta = given["eta"];
  o.s_noise = given.value("s_noise", 1.0);
  o.churn.s_churn = given.value("s_churn", 0.0);
  o.churn.s_tmin = given.value("s_tmin", 0.0);
  o.churn.s_tmax = given.value("s_tmax", o.churn.s_tmax);
  o.midpoint = given.value("r", 0.5);
  for (const char* name : {"order", "max_order", "max_stage", "solver_order"})
    if (given.contains(name)) o.order = given[name];
  for (const char* name : {"solver_type", "variant"})
    if (given.contains(name)) {
      const std::string type = given[name];
      o.solver = type == "heun"  ? SolverType::kHeun
                 : type == "bh1" ? SolverType::kBh1
                 : type == "bh2" ? SolverType::kBh2
                                 : SolverType::kMidpoint;
    }
  return o;
}

/// The levels of the toy models: Stable Diffusion's, and a flow with shift 3.
inline NoiseTable table_of(const std::string& model) {
  if (model == "flow") return NoiseTable::flow(3);
  return NoiseTable::discrete(
      alphas_cumprod({.name = "scaled_linear", .start = 0.00085, .end = 0.012, .trained = {}}));
}

/// True when every row is one of the states, in their order.
inline double worst_row(const std::vector<Latents>& states, const std::vector<double>& recorded,
                        double tolerance) {
  const std::size_t count = recorded.size() / states[0].size();
  std::size_t from = 0;
  double worst = 0;
  for (std::size_t row = 0; row + 1 < count; ++row) {
    double best = INFINITY;
    for (std::size_t k = from; k < states.size() && best > tolerance; ++k) {
      best = std::min(best, distance(states[k], recorded, row));
      if (best <= tolerance) from = k;
    }
    worst = std::max(worst, best);
  }
  return worst;
}

}  // namespace mezzo::sampling::golden
