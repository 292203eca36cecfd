// Every recorded trajectory and schedule of goldens/sampling: closed-form toy networks run through
// the samplers of diffusers, k-diffusion, ComfyUI and A1111. Cases whose sampler is not in the
// registry are listed as missing.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "mezzotint/errors.h"
#include "sampling/even.h"
#include "sampling/k_schedules.h"
#include "sampling/registry.h"
#include "sampling/sampler.h"
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
    const Latents conditional = predict(
        x, sigma, [](double u) { return 0.8 * u + 0.1 * std::sin(3 * u); }, 0.05);
    if (!guidance_) return conditional;
    unconditional_ = predict(
        x, sigma, [](double u) { return 0.7 * u + 0.1 * std::sin(2 * u); }, -0.05);
    return unconditional_ + *guidance_ * (conditional - unconditional_);
  }
  const Latents& unconditional() const { return unconditional_; }

 private:
  template <class F>
  Latents predict(const Latents& x, double s, F f, double amount) const {
    const double c = std::sqrt(1 + s * s);
    const double shift = amount * std::cos(model_ == "flow" ? 10 * s : std::log(s));
    const Latents out = map(model_ == "flow" ? x : x / c, [&](double u) { return f(u) + shift; });
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
  return NoiseTable::discrete(
      alphas_cumprod({.name = "scaled_linear", .start = 0.00085, .end = 0.012, .trained = {}}));
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

/// Absolute. The README's, but for four whose reference works in single precision inside, with the
/// exp and the order of sums of the machine that recorded it: the integrals of DEIS and ER-SDE, the
/// times of DPM-Solver-fast and of Restart.
double k_tolerance(const std::string& function) {
  const std::map<std::string, double> loose = {
      {"sample_lms", 1e-6},          {"sample_unipc", 1e-6},  {"sample_deis", 2e-6},
      {"sample_dpm_adaptive", 1e-6}, {"sample_er_sde", 1e-7}, {"sample_dpm_fast", 1e-5},
      {"restart_sampler", 1e-7}};
  const auto it = loose.find(function);
  return it == loose.end() ? 1e-9 : it->second;
}

void check_k_run(const json& run, const Folder& folder, NoiseRows& noise, Tally& tally) {
  const std::string function = run["function"], model = run["model"],
                    tensor = run.value("tensor", "");
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
  Schedule schedule =
      Schedule::from_sigmas(flow ? Space::kFlow : Space::kVarianceExploding, sigmas);
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
  if (flow)
    x.add(1 - first, image);
  else if (from_image)
    x.add(1, image);
  states.push_back(x);
  const Latents result = sampler->sample(denoise, x, schedule, o);

  const double tolerance = k_tolerance(function);
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

// ---- diffusers ----

/// The toy network of the README, section 2.
Latents toy_network(const Latents& u, double t, double period) {
  const double shift = 0.05 * std::cos(t / period);
  return map(u, [&](double v) { return 0.8 * v + 0.1 * std::sin(3 * v) + shift; });
}

double largest(const Latents& x) {
  double most = 0;
  for (double v : x.values()) most = std::max(most, std::abs(v));
  return most;
}

std::string name_of(const json& run) {
  return run.value("tensor", run["name"].get<std::string>() + "." + run["steps"].dump());
}

void check_diffusers_run(const json& run, const Folder& folder, NoiseRows& noise, Tally& tally) {
  const std::string name = name_of(run), scheduler = run["scheduler"];
  if (run.contains("error")) {
    ++tally.errors;
    return;
  }
  if (find_scheduler_class(scheduler) == nullptr) {
    ++tally.missing;
    tally.missing_names.insert(scheduler);
    return;
  }
  json fields = run["config"];
  fields["_class_name"] = scheduler;
  PlanRequest request;
  request.steps = run["steps"];
  request.strength = run.value("strength", 1.0);
  const json step = run.value("step", json()).is_object() ? run["step"] : json::object();
  if (step.contains("eta")) request.eta = step["eta"];
  if (const json set = run.value("set", json()); set.is_object() && set.contains("mu"))
    request.mu = set["mu"];
  const SamplingPlan plan = sampling::plan(SchedulerConfig(fields), request);

  RunOptions options;
  const SamplerOptions given = options_of(step);
  options.s_noise = given.s_noise;
  options.churn = given.churn;
  const double period = plan.prediction == Prediction::kEdm ? 1 : 100;
  const auto steps_recorded = folder.tensors.values(name);
  const Latents unit(folder.tensors.values("x")), image(folder.tensors.values("x0"));
  const Latents start = run.contains("strength") && !run["strength"].is_null()
                            ? add_noise(image, unit, plan.start())
                            : from_noise(plan, unit);
  // The closed form of DEIS of order 3 cancels in the reference's float32, in its float64 run too.
  const bool cancels =
      scheduler == "DEISMultistepScheduler" && fields.value("solver_order", 2) == 3;
  const double tolerance =
      (cancels ? 2 : 1) * std::max(1e-5 * std::max(1.0, run["max_abs"].get<double>()),
                                   10 * run["f32_minus_f64"].get<double>());

  // Each state that a network call was made at, and the timesteps of the calls.
  std::vector<Latents> states;
  std::vector<double> timesteps;
  SamplerOptions o = plan.options;
  o.s_noise = given.s_noise;
  if (plan.takes_churn) o.churn = given.churn;
  o.churn.after_prediction = plan.options.churn.after_prediction;
  o.prediction = plan.prediction;
  o.noise = noise.source();
  const Denoiser denoise = [&](const Latents& x, const Point& at) {
    states.push_back(x);
    const double sigma = plan.prediction == Prediction::kFlow ? at.sigma : at.rho();
    timesteps.push_back(std::isnan(at.t) ? plan.table.t_of_sigma(sigma) : at.t);
    return to_x0(plan.prediction,
                 toy_network(input_scale(plan.prediction, at) * x, timesteps.back(), period), x,
                 at);
  };
  states.push_back(plan.sample(denoise, start, plan.points, o));
  const auto recorded_timesteps = run["timesteps"].get<std::vector<double>>();
  double error = states.size() * start.size() == steps_recorded.size() ? 0 : INFINITY;
  for (std::size_t row = 0; error < INFINITY && row < states.size(); ++row) {
    // The reference keeps its samples in float32: a row has the rounding of the row before, however
    // small it is.
    const double before =
        1.2e-7 * std::max(largest(states[row]), largest(states[row == 0 ? 0 : row - 1]));
    error = std::max(error, std::max(0.0, distance(states[row], steps_recorded, row) - before));
  }
  EXPECT_EQ(timesteps.size(), recorded_timesteps.size()) << name;
  for (std::size_t i = 0; i < std::min(timesteps.size(), recorded_timesteps.size()); ++i)
    EXPECT_NEAR(timesteps[i], recorded_timesteps[i], 1e-5 * std::max(1.0, recorded_timesteps[i]))
        << name << " call " << i;

  // The same through the door that pipelines use.
  options.noise = noise.source();
  const Latents result = sampling::run(
      plan, [&](const Latents& u, double t) { return toy_network(u, t, period); }, start, options);
  EXPECT_EQ(distance(result, {states.back().values().begin(), states.back().values().end()}, 0), 0)
      << name;
  tally.add(error, tolerance, name);
}

TEST(SamplingGolden, Diffusers) {
  for_each_copy("sampling/diffusers.json", [](const Folder& folder) {
    Tally tally{"diffusers runs"};
    NoiseRows noise(folder.tensors.values("noise"), folder.tensors.values("x").size());
    for (const json& run : folder.index["runs"]) {
      try {
        check_diffusers_run(run, folder, noise, tally);
      } catch (const Error& e) {
        ADD_FAILURE() << name_of(run) << ": " << e.what();
        ++tally.failed;
      }
    }
    EXPECT_GT(tally.passed, 0);
  });
}

// ---- A1111's samplers over timesteps ----

void check_timestep_run(const json& run, const Folder& folder, NoiseRows& noise, Tally& tally) {
  const std::string name = run["name"], base = name.substr(0, name.find('.'));
  const SamplerInfo* sampler = find_sampler(base);
  if (sampler == nullptr) {
    ++tally.missing;
    tally.missing_names.insert(base);
    return;
  }
  const auto alphas = folder.tensors.values("alphas_cumprod");
  const bool unipc = sampler == find_sampler("unipc");
  SamplerOptions o;
  Schedule schedule;
  schedule.space = Space::kVariancePreserving;
  const auto point = [&](double t) {
    // Linear in the logarithm of alpha.
    const auto low = static_cast<std::size_t>(t);
    const double w = t - static_cast<double>(low),
                 next = alphas[std::min<std::size_t>(low + 1, 999)];
    const double a = std::exp((1 - w) * std::log(alphas[low]) + w * std::log(next));
    return Point{std::sqrt(a), std::sqrt(1 - a), t};
  };
  auto timesteps = run["timesteps"].get<std::vector<double>>();
  Sampler sample = sampler->sample;
  if (unipc) {
    // UniPC's own even times from 1 to 1/1000, in its multistep form of order 3.
    for (double t : even(999, 0, static_cast<int>(timesteps.size()) + 1))
      schedule.points.push_back(point(t));
    sample = sample_unipc;
    o.order = 3;
    o.lower_order_final = true;
    o.solver = name.ends_with("bh1") ? SolverType::kBh1 : SolverType::kBh2;
  } else {
    for (auto t = timesteps.rbegin(); t != timesteps.rend(); ++t)
      schedule.points.push_back(point(*t));
  }
  if (name.ends_with("eta1")) o.eta = 1;
  Latents unconditional;
  std::vector<Latents> states;
  const Denoiser denoise = [&](const Latents& x, const Point& p) {
    states.push_back(x);
    const double shift = 0.05 * std::cos(p.t / 100);
    const auto x0 = [&](const Latents& eps) { return to_x0(Prediction::kEpsilon, eps, x, p); };
    unconditional = x0(map(x, [&](double v) { return 0.7 * v + 0.1 * std::sin(2 * v) - shift; }));
    return x0(map(x, [&](double v) { return 0.8 * v + 0.1 * std::sin(3 * v) + shift; }));
  };
  o.noise = noise.source();
  o.unconditional_x0 = [&]() -> const Latents& { return unconditional; };
  const Latents start(folder.tensors.values("x"));
  const Latents result = sample(denoise, start, schedule, o);
  states.push_back(result);
  const auto recorded = folder.tensors.values(run["tensor"]);
  const double tolerance = unipc ? 1e-5 : 1e-9;
  double error = distance(result, recorded, recorded.size() / start.size() - 1);
  if (!unipc) error = std::max(error, worst_row(states, recorded, tolerance));
  tally.add(error, tolerance, run["tensor"]);
}

TEST(SamplingGolden, A1111Timesteps) {
  for_each_copy("sampling/a1111_timesteps.json", [](const Folder& folder) {
    Tally tally{"A1111 timestep runs"};
    NoiseRows noise(folder.tensors.values("noise"), folder.tensors.values("x").size());
    for (const json& run : folder.index["runs"]) check_timestep_run(run, folder, noise, tally);
    EXPECT_GT(tally.passed, 0);
  });
}

// ---- schedules ----

double relative_error(const std::vector<double>& got, const std::vector<double>& expected) {
  if (got.size() != expected.size()) return INFINITY;
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    worst = std::max(worst, std::abs(got[i] - expected[i]) / std::max(std::abs(expected[i]), 1e-6));
  return worst;
}

TEST(SamplingGolden, Tables) {
  for_each_copy("sampling/schedules.json", [](const Folder& folder) {
    Tally tally{"noise tables"};
    const BetaSchedule sd{.name = "scaled_linear", .start = 0.00085, .end = 0.012, .trained = {}};
    BetaSchedule zero = sd;
    zero.zero_terminal_snr = true;
    const std::map<std::string, std::vector<double>> tables = {
        {"sd1.alphas_cumprod.f32", alphas_cumprod(sd)},
        {"sd1_ztsnr.alphas_cumprod.f32", alphas_cumprod(zero)},
        {"cosine.alphas_cumprod.f32", alphas_cumprod({.name = "squaredcos_cap_v2", .trained = {}})},
        {"ddpm_linear.alphas_cumprod.f64", alphas_cumprod({.trained = {}})},
        {"sd1.sigmas.f64", NoiseTable::discrete(alphas_cumprod(sd)).sigmas()},
        {"comfy.flow_shift3.sigmas.f32", NoiseTable::flow(3).sigmas()},
        {"comfy.flow_shift1.sigmas.f32", NoiseTable::flow(1).sigmas()},
    };
    for (const auto& [name, values] : tables) {
      if (!folder.tensors.has(name)) continue;
      // float64 tables differ from ours by the rounding of float arithmetic; the small values of
      // zero terminal SNR are differences of rounded roots.
      const bool exact = name.ends_with("f32") && name.find("ztsnr") == std::string::npos;
      tally.add(relative_error(values, folder.tensors.values(name)), exact ? 1e-6 : 2e-5, name);
    }
  });
}

/// ComfyUI computes its table in float64, the others in float32.
NoiseTable schedule_table(const Folder& folder, const json& row) {
  const std::string model = row["model"];
  if (model != "sd1") return NoiseTable::flow(model == "flow_shift3" ? 3 : 1);
  return row["source"] == "a1111"
             ? table_of(model)
             : NoiseTable::discrete(folder.tensors.values("sd1.alphas_cumprod.f64"));
}

TEST(SamplingGolden, Schedules) {
  for_each_copy("sampling/schedules.json", [](const Folder& folder) {
    Tally tally{"k schedules"};
    for (const json& row : folder.index["k_sigmas"]) {
      const std::string name = row["scheduler"], model = row["model"];
      const std::string label = name + " of " + row["source"].get<std::string>() + ", " + model +
                                ", " + row["steps"].dump();
      if (row.contains("error")) {
        ++tally.errors;
        continue;
      }
      const ScheduleInfo* schedule = find_schedule(name);
      if (schedule == nullptr) {
        ++tally.missing;
        tally.missing_names.insert(name);
        continue;
      }
      const NoiseTable table = schedule_table(folder, row);
      double low = table.sigma_min(), high = table.sigma_max();
      if (row.contains("sigma_range") && row["sigma_range"].is_array()) {
        low = row["sigma_range"][0];
        high = row["sigma_range"][1];
      }
      const auto convention = row["source"] == "a1111" ? Convention::kA1111 : Convention::kComfyUi;
      const auto got = schedule->sigmas({table, row["steps"], low, high, convention});
      tally.add(relative_error(got, folder.tensors.values(row["tensor"])), 1e-5, label);
    }
    EXPECT_GT(tally.passed, 0);
  });
}

TEST(SamplingGolden, FlowMatchEuler) {
  for_each_copy("sampling/schedules.json", [](const Folder& folder) {
    Tally tally{"FlowMatchEuler schedules"};
    for (const json& row : folder.index["flow_match_euler"]) {
      json fields = row["config"];
      fields["_class_name"] = "FlowMatchEulerDiscreteScheduler";
      if (row.contains("error")) {
        ++tally.errors;
        continue;
      }
      DiffusersRequest request{.steps = row["steps"]};
      if (!row["mu"].is_null()) request.mu = row["mu"];
      const Schedule s = diffusers_run(SchedulerConfig(fields), request).schedule;
      std::vector<double> sigmas, timesteps;
      for (const Point& p : s.points) sigmas.push_back(p.sigma);
      for (std::size_t i = 0; i < s.steps(); ++i) timesteps.push_back(s.points[i].t);
      const double error =
          std::max(relative_error(sigmas, row["sigmas"].get<std::vector<double>>()),
                   relative_error(timesteps, row["timesteps"].get<std::vector<double>>()));
      tally.add(error, 1e-5, row["config"].dump() + " " + row["steps"].dump());
    }
    EXPECT_GT(tally.passed, 0);
  });
}

}  // namespace
}  // namespace mezzo::sampling
