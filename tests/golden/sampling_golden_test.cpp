// Every trajectory of goldens/sampling/kdiffusion.json and a1111_timesteps.json: the samplers of
// k-diffusion, ComfyUI and A1111.
#include "golden/sampling_golden.h"

#include "sampling/even.h"
#include "sampling/registry.h"
#include "sampling/samplers/samplers.h"

namespace mezzo::sampling::golden {
namespace {

// ---- k-diffusion, ComfyUI, A1111's restart ----

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

}  // namespace
}  // namespace mezzo::sampling::golden
