#include "sampling/registry.h"

#include "base/error.h"
#include "sampling/k_schedules.h"
#include "sampling/names.h"
#include "sampling/samplers/samplers.h"

namespace mezzo::sampling {
namespace {

// Words for the columns of the table.
constexpr Form kSigma = Form::kSigma, kFlow = Form::kSigmaAndFlow;
constexpr Noise kPlain = Noise::kNone, kNoise = Noise::kEachStep, kPath = Noise::kPath;
constexpr bool kOwn = true, kGiven = false;  // chooses its steps
constexpr bool kCfgPp = true, kCfg = false;  // needs the unconditional prediction

}  // namespace

std::span<const SamplerInfo> samplers() {
  // clang-format off
  // name, display name, aliases, function, form, noise, guidance, steps, A1111's automatic schedule, diffusers' class
  static const std::vector<SamplerInfo> table = {
      {"ddim", "DDIM", {}, sample_ddim, kSigma, kPlain, kCfg, kGiven, "", "DDIMScheduler"},
      {"ddpm", "DDPM", {}, sample_ddpm, kSigma, kNoise, kCfg, kGiven, "", "DDPMScheduler"},
      {"pndm", "PNDM", {"plms"}, sample_plms, kSigma, kPlain, kCfg, kGiven, "", "PNDMScheduler"},
      {"euler", "Euler", {}, sample_euler, kSigma, kPlain, kCfg, kGiven, "", "EulerDiscreteScheduler"},
      {"euler_a", "Euler a", {"euler_ancestral"}, sample_euler_ancestral, kFlow, kNoise, kCfg, kGiven, "", "EulerAncestralDiscreteScheduler"},
      {"heun", "Heun", {}, sample_heun, kSigma, kPlain, kCfg, kGiven, "", "HeunDiscreteScheduler"},
      {"heunpp2", "HeunPP2", {}, sample_heunpp2, kSigma, kPlain, kCfg, kGiven, "", ""},
      {"dpm2", "DPM2", {"dpm_2"}, sample_dpm2, kSigma, kPlain, kCfg, kGiven, "karras", "KDPM2DiscreteScheduler"},
      {"dpm2_a", "DPM2 a", {"dpm_2_ancestral"}, sample_dpm2_ancestral, kFlow, kNoise, kCfg, kGiven, "karras", "KDPM2AncestralDiscreteScheduler"},
      {"lms", "LMS", {}, sample_lms, kFlow, kPlain, kCfg, kGiven, "", "LMSDiscreteScheduler"},
      {"dpm_fast", "DPM fast", {}, sample_dpm_fast, kSigma, kPlain, kCfg, kGiven, "", ""},
      {"dpm_adaptive", "DPM adaptive", {}, sample_dpm_adaptive, kSigma, kPlain, kCfg, kOwn, "", ""},
      {"dpmpp_2m", "DPM++ 2M", {"dpmpp_2m_v2"}, sample_dpmpp_2m, kSigma, kPlain, kCfg, kGiven, "karras", "DPMSolverMultistepScheduler"},
      {"dpmpp_2m_sde", "DPM++ 2M SDE", {"dpmpp_2m_sde_gpu"}, sample_dpmpp_2m_sde, kFlow, kPath, kCfg, kGiven, "exponential", ""},
      {"dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun", {}, sample_dpmpp_2m_sde_heun, kFlow, kPath, kCfg, kGiven, "exponential", ""},
      {"dpmpp_3m_sde", "DPM++ 3M SDE", {"dpmpp_3m_sde_gpu"}, sample_dpmpp_3m_sde, kFlow, kPath, kCfg, kGiven, "exponential", ""},
      {"dpmpp_sde", "DPM++ SDE", {"dpmpp_sde_gpu"}, sample_dpmpp_sde, kFlow, kPath, kCfg, kGiven, "karras", "DPMSolverSDEScheduler"},
      {"dpmpp_2s_a", "DPM++ 2S a", {"dpmpp_2s_ancestral"}, sample_dpmpp_2s_ancestral, kFlow, kNoise, kCfg, kGiven, "karras", ""},
      {"dpmpp_2s", "DPM++ 2S", {"dpmpp_singlestep"}, sample_dpmpp_singlestep, kFlow, kPlain, kCfg, kGiven, "", "DPMSolverSinglestepScheduler"},
      {"unipc", "UniPC", {"uni_pc_bh2"}, sample_unipc_sigma, kSigma, kPlain, kCfg, kGiven, "", "UniPCMultistepScheduler"},
      {"deis", "DEIS", {}, sample_deis, kSigma, kPlain, kCfg, kGiven, "", "DEISMultistepScheduler"},
      {"ipndm", "IPNDM", {}, sample_ipndm, kSigma, kPlain, kCfg, kGiven, "", ""},
      {"ipndm_v", "IPNDM V", {}, sample_ipndm_v, kSigma, kPlain, kCfg, kGiven, "", ""},
      {"lcm", "LCM", {}, sample_lcm, kFlow, kNoise, kCfg, kGiven, "", "LCMScheduler"},
      {"tcd", "TCD", {}, sample_tcd, kSigma, kNoise, kCfg, kGiven, "", "TCDScheduler"},
      {"restart", "Restart", {"restart_sampler"}, sample_restart, kSigma, kNoise, kCfg, kGiven, "karras", ""},
      {"res_multistep", "RES multistep", {}, sample_res_multistep, kSigma, kPlain, kCfg, kGiven, "", ""},
      {"res_multistep_a", "RES multistep a", {"res_multistep_ancestral"}, sample_res_multistep_ancestral, kSigma, kNoise, kCfg, kGiven, "", ""},
      {"gradient_estimation", "Gradient estimation", {}, sample_gradient_estimation, kSigma, kPlain, kCfg, kGiven, "", ""},
      {"er_sde", "ER SDE", {}, sample_er_sde, kFlow, kNoise, kCfg, kGiven, "", ""},
      {"seeds_2", "SEEDS-2", {}, sample_seeds_2, kFlow, kNoise, kCfg, kGiven, "", ""},
      {"seeds_3", "SEEDS-3", {}, sample_seeds_3, kFlow, kNoise, kCfg, kGiven, "", ""},
      {"sa_solver", "SA-Solver", {}, sample_sa_solver, kFlow, kNoise, kCfg, kGiven, "", "SASolverScheduler"},
      {"sa_solver_pece", "SA-Solver PECE", {}, sample_sa_solver_pece, kFlow, kNoise, kCfg, kGiven, "", ""},
      {"ddim_cfg_pp", "DDIM CFG++", {}, sample_ddim_cfg_pp, kSigma, kPlain, kCfgPp, kGiven, "", ""},
      {"euler_cfg_pp", "Euler CFG++", {}, sample_euler_cfg_pp, kSigma, kPlain, kCfgPp, kGiven, "", ""},
      {"euler_a_cfg_pp", "Euler a CFG++", {"euler_ancestral_cfg_pp"}, sample_euler_ancestral_cfg_pp, kSigma, kNoise, kCfgPp, kGiven, "", ""},
      {"dpmpp_2m_cfg_pp", "DPM++ 2M CFG++", {}, sample_dpmpp_2m_cfg_pp, kSigma, kPlain, kCfgPp, kGiven, "", ""},
      {"dpmpp_2s_a_cfg_pp", "DPM++ 2S a CFG++", {"dpmpp_2s_ancestral_cfg_pp"}, sample_dpmpp_2s_ancestral_cfg_pp, kSigma, kNoise, kCfgPp, kGiven, "", ""},
      {"res_multistep_cfg_pp", "RES multistep CFG++", {}, sample_res_multistep_cfg_pp, kSigma, kPlain, kCfgPp, kGiven, "", ""},
      {"res_multistep_a_cfg_pp", "RES multistep a CFG++", {"res_multistep_ancestral_cfg_pp"}, sample_res_multistep_ancestral_cfg_pp, kSigma, kNoise, kCfgPp, kGiven, "", ""},
      {"gradient_estimation_cfg_pp", "Gradient estimation CFG++", {}, sample_gradient_estimation_cfg_pp, kSigma, kPlain, kCfgPp, kGiven, "", ""},
  };
  // clang-format on
  return table;
}

const SamplerInfo* find_sampler(std::string_view name) {
  for (const SamplerInfo& s : samplers())
    if (matches_name(name, s.name, s.display, s.aliases) || name == s.diffusers_class) return &s;
  return nullptr;
}

SamplerChoice choose_sampler(std::string_view name) {
  if (const SamplerInfo* s = find_sampler(name)) return {s, {}};
  const std::string plain = plain_name(name);
  for (const ScheduleInfo& schedule : schedules())
    for (std::string_view suffix : {schedule.name, schedule.display}) {
      const std::string end = plain_name(suffix);
      if (!plain.ends_with(end)) continue;
      if (const SamplerInfo* s = find_sampler(plain.substr(0, plain.size() - end.size())))
        return {s, std::string(schedule.name)};
    }
  std::vector<std::string_view> known;
  for (const SamplerInfo& s : samplers()) known.push_back(s.name);
  fail_unknown("sampler", name, known);
}

void check_names(std::string_view sampler, std::string_view schedule) {
  if (!sampler.empty()) choose_sampler(sampler);
  if (!schedule.empty() && schedule != "model" && plain_name(schedule) != "automatic")
    choose_schedule(schedule);
}

}  // namespace mezzo::sampling
