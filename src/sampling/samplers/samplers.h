// Every sampler: one function each, declared here, defined in the file of its family, and named in
// registry.cpp.
#pragma once

#include "sampling/options.h"

namespace mezzo::sampling {

// ddim.cpp
Latents sample_ddim(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_ddim_cfg_pp(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_ddpm(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// euler.cpp
Latents sample_euler(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_euler_ancestral(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_euler_cfg_pp(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_euler_ancestral_cfg_pp(const Denoiser&, Latents, const Schedule&,
                                      const SamplerOptions&);
// heun.cpp
Latents sample_heun(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_heunpp2(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_restart(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// dpm2.cpp
Latents sample_dpm2(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpm2_ancestral(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// lms.cpp
Latents sample_lms(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// pndm.cpp
Latents sample_pndm(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_plms(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// ipndm.cpp
Latents sample_ipndm(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_ipndm_noise(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_ipndm_v(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// dpm_solver.cpp
Latents sample_dpm_multistep(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpm_fast(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpm_adaptive(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// dpmpp_multistep.cpp
Latents sample_dpmpp_2m(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpmpp_2m_sde(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpmpp_2m_sde_heun(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpmpp_3m_sde(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpmpp_2m_cfg_pp(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// dpmpp_singlestep.cpp
Latents sample_dpmpp_singlestep(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
/// Orders of the calls of a single-step run: steps of `order` calls, with lower orders to fill up.
std::vector<int> singlestep_orders(std::size_t calls, int order, bool lower_order_final,
                                   bool ends_at_zero);
Latents sample_dpmpp_2s_ancestral(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_dpmpp_2s_ancestral_cfg_pp(const Denoiser&, Latents, const Schedule&,
                                         const SamplerOptions&);
Latents sample_dpmpp_sde(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// unipc.cpp
Latents sample_unipc(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_unipc_sigma(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// deis.cpp
Latents sample_deis(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_deis_logrho(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// consistency.cpp
Latents sample_lcm(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_tcd(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// res_multistep.cpp
Latents sample_res_multistep(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_res_multistep_ancestral(const Denoiser&, Latents, const Schedule&,
                                       const SamplerOptions&);
Latents sample_res_multistep_cfg_pp(const Denoiser&, Latents, const Schedule&,
                                    const SamplerOptions&);
Latents sample_res_multistep_ancestral_cfg_pp(const Denoiser&, Latents, const Schedule&,
                                              const SamplerOptions&);
// gradient_estimation.cpp
Latents sample_gradient_estimation(const Denoiser&, Latents, const Schedule&,
                                   const SamplerOptions&);
Latents sample_gradient_estimation_cfg_pp(const Denoiser&, Latents, const Schedule&,
                                          const SamplerOptions&);
// er_sde.cpp
Latents sample_er_sde(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// seeds.cpp
Latents sample_seeds_2(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_seeds_3(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
// sa_solver.cpp
Latents sample_sa_solver(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);
Latents sample_sa_solver_pece(const Denoiser&, Latents, const Schedule&, const SamplerOptions&);

}  // namespace mezzo::sampling
