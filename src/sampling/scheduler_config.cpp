#include "sampling/scheduler_config.h"

#include <cmath>

#include "base/error.h"
#include "sampling/samplers/samplers.h"

namespace mezzo::sampling {
namespace {

using nlohmann::json;

constexpr double kSdStart = 0.00085, kSdEnd = 0.012;

const std::vector<SchedulerClass>& classes() {
  using enum Family;
  using enum Spacing;
  // clang-format off
  static const std::vector<SchedulerClass> table = {
      {"DDIMScheduler", kTable, sample_ddim, kLeading},
      {"DDPMScheduler", kTable, sample_ddpm, kLeading},
      {"PNDMScheduler", kTable, sample_pndm, kLeading},
      {"LCMScheduler", kOrigin, sample_lcm, kLeading, kSdStart, kSdEnd, "scaled_linear"},
      {"TCDScheduler", kOrigin, sample_tcd, kLeading, kSdStart, kSdEnd, "scaled_linear"},
      {"EulerDiscreteScheduler", kSigma, sample_euler, kLinspace},
      {"EulerAncestralDiscreteScheduler", kSigma, sample_euler_ancestral, kLinspace},
      {"LMSDiscreteScheduler", kSigma, sample_lms, kLinspace},
      {"HeunDiscreteScheduler", kSigma, sample_heun, kLinspace, kSdStart, kSdEnd},
      {"KDPM2DiscreteScheduler", kSigma, sample_dpm2, kLinspace, kSdStart, kSdEnd, "linear", true},
      {"KDPM2AncestralDiscreteScheduler", kSigma, sample_dpm2_ancestral, kLinspace, kSdStart, kSdEnd, "linear", true},
      {"DPMSolverSDEScheduler", kSigma, sample_dpmpp_sde, kLinspace, kSdStart, kSdEnd},
      {"DPMSolverMultistepScheduler", kLambda, sample_dpmpp_2m, kLinspace, 0.0001, 0.02, "linear", true},
      {"DPMSolverSinglestepScheduler", kLambda, sample_dpmpp_singlestep, kLinspace, 0.0001, 0.02, "linear", true},
      {"UniPCMultistepScheduler", kLambda, sample_unipc, kLinspace, 0.0001, 0.02, "linear", true},
      {"DEISMultistepScheduler", kLambda, sample_deis_logrho, kLinspace, 0.0001, 0.02, "linear", true, true},
      {"SASolverScheduler", kLambda, sample_sa_solver, kLinspace, 0.0001, 0.02, "linear", true, true},
      {"FlowMatchEulerDiscreteScheduler", kFlow, sample_euler, kLinspace},
      {"FlowMatchHeunDiscreteScheduler", kFlow, sample_heun, kLinspace},
      {"FlowMatchLCMScheduler", kFlow, sample_lcm, kLinspace},
      {"IPNDMScheduler", kIpndm, sample_ipndm_noise, kLinspace},
      {"EDMEulerScheduler", kEdm, sample_euler, kLinspace},
  };
  // clang-format on
  return table;
}

const SchedulerClass& class_or_throw(std::string_view name) {
  if (const SchedulerClass* c = find_scheduler_class(name)) return *c;
  std::string known;
  for (const SchedulerClass& c : classes())
    known += (known.empty() ? "" : ", ") + std::string(c.name);
  fail<LoadError>("scheduler_config.json: unknown scheduler \"{}\"; known are {}", name, known);
}

}  // namespace

const SchedulerClass* find_scheduler_class(std::string_view name) {
  for (const SchedulerClass& c : classes())
    if (c.name == name) return &c;
  return nullptr;
}

SchedulerConfig::SchedulerConfig()
    : SchedulerConfig(json{{"_class_name", "PNDMScheduler"},
                           {"beta_start", kSdStart},
                           {"beta_end", kSdEnd},
                           {"beta_schedule", "scaled_linear"},
                           {"skip_prk_steps", true},
                           {"set_alpha_to_one", false},
                           {"steps_offset", 1},
                           {"clip_sample", false}}) {}

SchedulerConfig::SchedulerConfig(json fields) : fields_(std::move(fields)), class_(nullptr) {
  if (!fields_.is_object()) fail<LoadError>("scheduler_config.json: expected an object");
  class_ = &class_or_throw(text("_class_name", ""));
}

SchedulerConfig SchedulerConfig::for_class(std::string_view class_name) const {
  SchedulerConfig c = *this;
  c.class_ = &class_or_throw(class_name);
  // A solver's own words mean nothing to another solver.
  if (c.class_ != class_)
    for (const char* field : {"algorithm_type", "solver_type", "solver_order"})
      c.fields_.erase(field);
  return c;
}

const json* SchedulerConfig::find(const char* name) const {
  const auto it = fields_.find(name);
  return it == fields_.end() || it->is_null() ? nullptr : &*it;
}

double SchedulerConfig::number(const char* name, double fallback) const {
  const json* v = find(name);
  if (v == nullptr) return fallback;
  if (!v->is_number() || !std::isfinite(v->get<double>()))
    fail<LoadError>("scheduler_config.json: {} is {}, expected a number", name, v->dump());
  return v->get<double>();
}

int SchedulerConfig::integer(const char* name, int fallback) const {
  const double v = number(name, fallback);
  if (v != std::floor(v) || std::abs(v) > 1e6)
    fail<LoadError>("scheduler_config.json: {} is {}, expected a whole number", name, v);
  return static_cast<int>(v);
}

bool SchedulerConfig::flag(const char* name, bool fallback) const {
  const json* v = find(name);
  if (v == nullptr) return fallback;
  if (!v->is_boolean())
    fail<LoadError>("scheduler_config.json: {} is {}, expected true or false", name, v->dump());
  return v->get<bool>();
}

std::string SchedulerConfig::text(const char* name, const std::string& fallback) const {
  const json* v = find(name);
  if (v == nullptr) return fallback;
  if (!v->is_string())
    fail<LoadError>("scheduler_config.json: {} is {}, expected a string", name, v->dump());
  return v->get<std::string>();
}

Spacing SchedulerConfig::spacing() const {
  const std::string s = text("timestep_spacing", "");
  if (s.empty() || class_->name == "DPMSolverSinglestepScheduler") return class_->spacing;
  if (s == "leading") return Spacing::kLeading;
  if (s == "trailing") return Spacing::kTrailing;
  if (s == "linspace") return Spacing::kLinspace;
  fail<LoadError>(
      "scheduler_config.json: timestep_spacing is \"{}\", expected leading, trailing or linspace",
      s);
}

bool SchedulerConfig::follows_spacing() const {
  const Family f = class_->family;
  return class_->name != "DPMSolverSinglestepScheduler" &&
         (f == Family::kTable || f == Family::kSigma || f == Family::kLambda);
}

Prediction SchedulerConfig::prediction() const {
  if (class_->family == Family::kFlow) return Prediction::kFlow;
  if (class_->family == Family::kEdm) return Prediction::kEdm;
  if (class_->family == Family::kIpndm) return Prediction::kV;
  const std::string s = text("prediction_type", "epsilon");
  if (s == "epsilon") return Prediction::kEpsilon;
  if (s == "v_prediction") return Prediction::kV;
  if (s == "sample" || s == "original_sample") return Prediction::kSample;
  if (s == "flow_prediction") return Prediction::kFlow;
  fail<LoadError>(
      "scheduler_config.json: prediction_type is \"{}\", expected epsilon, v_prediction, sample or "
      "flow_prediction",
      s);
}

bool SchedulerConfig::is_flow() const {
  return class_->family == Family::kFlow || flag("use_flow_sigmas", false) ||
         prediction() == Prediction::kFlow || find("shift") != nullptr;
}

int SchedulerConfig::train_steps() const {
  const int n = integer("num_train_timesteps", 1000);
  if (n < 1 || n > 100000)
    fail<LoadError>("scheduler_config.json: num_train_timesteps is {}, expected 1 to 100000", n);
  return n;
}

double SchedulerConfig::shift() const {
  const double s = number("shift", number("flow_shift", 1));
  if (!(s > 0)) fail<LoadError>("scheduler_config.json: shift is {}, expected more than 0", s);
  return s;
}

BetaSchedule SchedulerConfig::betas() const {
  BetaSchedule b;
  b.name = text("beta_schedule", std::string(class_->beta_schedule));
  b.start = number("beta_start", class_->beta_start);
  b.end = number("beta_end", class_->beta_end);
  b.steps = train_steps();
  b.zero_terminal_snr = flag("rescale_betas_zero_snr", false);
  if (const json* trained = find("trained_betas")) {
    if (!trained->is_array() || trained->size() > 100000)
      fail<LoadError>("scheduler_config.json: trained_betas is not a list of numbers");
    for (const json& v : *trained) {
      if (!v.is_number()) fail<LoadError>("scheduler_config.json: trained_betas has a non-number");
      b.trained.push_back(v.get<double>());
    }
    if (b.trained.size() != static_cast<std::size_t>(b.steps))
      fail<LoadError>("scheduler_config.json: {} trained_betas for {} num_train_timesteps",
                      b.trained.size(), b.steps);
  }
  return b;
}

NoiseTable SchedulerConfig::beta_table(bool finite) const {
  std::vector<double> alphas = alphas_cumprod(betas());
  if (finite && flag("rescale_betas_zero_snr", false)) alphas.back() = std::ldexp(1.0, -24);
  return NoiseTable::discrete(std::move(alphas));
}

NoiseTable SchedulerConfig::table() const {
  return is_flow() ? NoiseTable::flow(shift(), train_steps()) : beta_table(true);
}

}  // namespace mezzo::sampling
