#include "sampling/diffusers_options.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "sampling/samplers/samplers.h"

namespace mezzo::sampling {
namespace {

int solver_order(const SchedulerConfig& c, const char* field) {
  const int order = c.integer(field, 2);
  if (order < 1 || order > 3)
    fail<LoadError>("scheduler_config.json: {} is {}, expected 1 to 3", field, order);
  return order;
}

void check_known(const char* field, const std::string& value,
                 std::initializer_list<std::string_view> known) {
  if (std::ranges::find(known, value) == known.end())
    fail<LoadError>("scheduler_config.json: {} is \"{}\", which is not known", field, value);
}

/// DPM-Solver and its relatives.
void set_solver(SamplerOptions& o, const SchedulerConfig& c, const DiffusersRequest& r) {
  const Sampler sample = c.scheduler().sample;
  o.order = solver_order(c, "solver_order");
  o.lower_order_final = c.flag("lower_order_final", true);
  o.euler_at_final = sample == sample_dpmpp_2m && c.flag("euler_at_final", false);
  const std::string type = c.text("solver_type", ""), algorithm = c.text("algorithm_type", "");
  check_known("solver_type", type, {"", "midpoint", "heun", "bh1", "bh2", "logrho"});
  check_known("algorithm_type", algorithm,
              {"", "dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++", "deis",
               "data_prediction", "noise_prediction"});
  o.solver = type == "heun"  ? SolverType::kHeun
             : type == "bh1" ? SolverType::kBh1
                             : SolverType::kMidpoint;
  o.eta = algorithm.starts_with("sde-") ? 1 : 0;
  o.diffusers_third_order_sde = true;
  o.predict_noise =
      !c.flag("predict_x0", true) || algorithm == "dpmsolver" || algorithm == "sde-dpmsolver";
  if (sample == sample_dpmpp_singlestep)
    o.step_orders =
        singlestep_orders(static_cast<std::size_t>(r.steps), *o.order,
                          c.flag("lower_order_final", false) || r.steps % *o.order != 0 ||
                              c.text("final_sigmas_type", "zero") == "zero",
                          c.text("final_sigmas_type", "zero") == "zero");
  if (const auto it = c.fields().find("disable_corrector");
      it != c.fields().end() && it->is_array())
    for (const auto& step : *it)
      if (step.is_number_integer()) o.disable_corrector.push_back(step.get<int>());
  if (sample == sample_sa_solver) {
    o.order = solver_order(c, "predictor_order");
    o.corrector_order = solver_order(c, "corrector_order");
    o.simple_second_order = true;
    o.tau = [](const Point& p) { return p.t >= 200 && p.t <= 800 ? 1.0 : 0.0; };
  }
}

/// Both are made for models that work on pixels; latents have no such range, and these networks
/// predict no variance.
void warn_of_pixel_fields(const SchedulerConfig& c) {
  if (c.flag("thresholding", false))
    log_warning("scheduler_config.json: thresholding is for models of pixels and is not followed");
  if (c.text("variance_type", "").starts_with("learned"))
    log_warning("scheduler_config.json: variance_type {} is not followed, fixed_small is used",
                c.text("variance_type", ""));
}

}  // namespace

SamplerOptions diffusers_options(const SchedulerConfig& c, const DiffusersRequest& r) {
  warn_of_pixel_fields(c);
  SamplerOptions o;
  o.prediction = c.prediction();
  const Sampler sample = c.scheduler().sample;
  const bool clips = sample == sample_ddim || sample == sample_ddpm;
  if (c.flag("clip_sample", clips)) o.clip_x0 = c.number("clip_sample_range", 1);
  o.churn.after_prediction = true;
  if (sample == sample_ddim) o.eta = r.eta;
  if (sample == sample_tcd) o.eta = r.eta.value_or(0.3);
  if (sample == sample_lcm && c.scheduler().family == Family::kOrigin)
    o.boundary_timestep_scaling = c.number("timestep_scaling", 10);
  o.large_variance = c.text("variance_type", "fixed_small") == "fixed_large";
  if (c.scheduler().family == Family::kLambda) set_solver(o, c, r);
  return o;
}

}  // namespace mezzo::sampling
