// Every recorded trajectory and schedule of goldens/sampling: closed-form toy networks run through the samplers of
// diffusers, k-diffusion, ComfyUI and A1111. Cases whose sampler is not in the registry are listed as missing.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "sampling/k_schedules.h"
#include "sampling/registry.h"
#include "sampling/samplers/samplers.h"
#include "support/goldens.h"
#include "support/safetensors_file.h"

namespace mezzo::sampling {
namespace {

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

double distance(const Latents& a, const std::vector<double>& b, std::size_t row) {
  double d = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double e = std::abs(a[i] - b.at(row * a.size() + i));
    d = std::isnan(e) ? INFINITY : std::max(d, e);
  }
  return d;
}

Latents rows(const std::vector<double>& all, std::size_t row, std::size_t width) {
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

// ---- k-diffusion, ComfyUI, A1111's restart ----

template <class F>
Latents map(const Latents& u, F f) {
  Latents out = u;
  for (double& v : out.values()) v = f(v);
  return out;
}

/// The toy denoiser of the README, section 3.
class KDenoiser {
 public:
  KDenoiser(std::string model, std::optional<double> guidance)
      : model_(std::move(model)), guidance_(guidance) {}

  Latents operator()(const Latents& x, double sigma) {
    const Latents conditional = predict(x, sigma, [](double u) { return 0.8 * u + 0.1 * std::sin(3 * u); }, 0.05);
    if (!guidance_) return conditional;
    unconditional_ = predict(x, sigma, [](double u) { return 0.7 * u + 0.1 * std::sin(2 * u); }, -0.05);
    return unconditional_ + *guidance_ * (conditional - unconditional_);
  }
  const Latents& unconditional() const { return unconditional_; }

 private:
  template <class F>
  Latents predict(const Latents& x, double s, F f, double amount) const {
    const double c = std::sqrt(1 + s * s);
    const double shift = amount * std::cos(model_ == "flow" ? 10 * s : std::log(s));
    const Latents out =
        map(model_ == "flow" ? x : x / c, [&](double u) { return f(u) + shift; });
    if (model_ == "v") return Latents(x / (c * c)).add(-s / c, out);
    return Latents(x).add(-s, out);
  }

  std::string model_;
  std::optional<double> guidance_;
  Latents unconditional_;
};

SamplerOptions options_of(const json& given) {
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
NoiseTable table_of(const std::string& model) {
  if (model == "flow") return NoiseTable::flow(3);
  return NoiseTable::discrete(alphas_cumprod({.name = "scaled_linear", .start = 0.00085, .end = 0.012, .trained = {}}));
}

/// True when every row is one of the states, in their order.
double worst_row(const std::vector<Latents>& states, const std::vector<double>& recorded,
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

void check_k_run(const json& run, const Folder& folder, NoiseRows& noise, Tally& tally) {
  const std::string function = run["function"], model = run["model"], tensor = run.value("tensor", "");
  if (run.contains("error")) {
    ++tally.errors;
    return;
  }
  const SamplerInfo* sampler = find_sampler(function);
  if (sampler == nullptr) {
    ++tally.missing;
    tally.missing_names.insert(function);
    return;
  }
  const bool flow = model == "flow";
  auto sigmas = folder.tensors.values(tensor + ".sigmas");
  Schedule schedule = Schedule::from_sigmas(flow ? Space::kFlow : Space::kVarianceExploding, sigmas);
  const NoiseTable table = table_of(model);
  schedule.flow_sigma_limit = table.sigma_at_percent(1e-4);
  schedule.sigma_at_20_percent = table.sigma_at_percent(0.2);
  schedule.sigma_at_80_percent = table.sigma_at_percent(0.8);
  if (sampler->form == Form::kSigma) schedule = schedule.as_variance_exploding();

  std::optional<double> guidance;
  if (!run["cfg"].is_null()) guidance = run["cfg"];
  KDenoiser model_function(model, guidance);
  std::vector<Latents> states;
  const Denoiser denoise = [&](const Latents& x, const Point& p) {
    states.push_back(x);
    return model_function(x, p.sigma);
  };
  SamplerOptions o = options_of(run["options"]);
  o.noise = noise.source();
  o.unconditional_x0 = [&]() -> const Latents& { return model_function.unconditional(); };
  o.after_step = [&](const StepInfo&, Latents& x) { states.push_back(x); };

  const Latents unit(folder.tensors.values("x")), image(folder.tensors.values("x0"));
  const double first = sigmas[0];
  Latents x = first * unit;
  const bool from_image = run.contains("start") && !run["start"].is_null();
  if (flow) x.add(1 - first, image);
  else if (from_image) x.add(1, image);
  states.push_back(x);
  const Latents result = sampler->sample(denoise, x, schedule, o);

  const std::set<std::string> loose = {"sample_lms", "sample_unipc", "sample_deis", "sample_dpm_adaptive"};
  const double tolerance = loose.contains(function) ? 1e-6 : 1e-9;
  const auto recorded = folder.tensors.values(tensor + ".x");
  double error = distance(result, recorded, recorded.size() / x.size() - 1);
  // Some references record their states in other coordinates; then only the result counts.
  if (error <= tolerance && distance(x, recorded, 0) <= tolerance)
    error = std::max(error, worst_row(states, recorded, tolerance));
  tally.add(error, tolerance, tensor);
}

TEST(SamplingGolden, KDiffusion) {
  for_each_copy("sampling/kdiffusion.json", [](const Folder& folder) {
    Tally tally{"k-diffusion and ComfyUI runs"};
    NoiseRows noise(folder.tensors.values("noise"), folder.tensors.values("x").size());
    for (const json& run : folder.index["runs"]) check_k_run(run, folder, noise, tally);
    EXPECT_GT(tally.passed, 0);
  });
}

}  // namespace
}  // namespace mezzo::sampling
