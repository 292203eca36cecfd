#include "sampling/registry.h"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "sampling/k_schedules.h"
#include "sampling/names.h"
#include "sampling/scheduler_config.h"

namespace mezzo::sampling {
namespace {

TEST(Registry, NamesAreUnique) {
  std::map<std::string, std::string_view> seen;
  for (const SamplerInfo& s : samplers())
    for (std::string_view name : {s.name, s.display}) {
      const auto [it, fresh] = seen.emplace(plain_name(name), s.name);
      EXPECT_TRUE(fresh || it->second == s.name) << name << " is also " << it->second;
    }
}

TEST(Registry, NamesAsProgramsWriteThem) {
  const std::map<std::string, std::string_view> names = {
      {"Euler a", "euler_a"},
      {"k_euler_ancestral", "euler_a"},
      {"EULER", "euler"},
      {"DPM++ 2M", "dpmpp_2m"},
      {"dpm++2m", "dpmpp_2m"},
      {"k_dpmpp_2m", "dpmpp_2m"},
      {"sample_dpmpp_2m", "dpmpp_2m"},
      {"DPM++ 2S a", "dpmpp_2s_a"},
      {"PLMS", "pndm"},
      {"DPM2 a", "dpm2_a"},
      {"uni_pc", "unipc"},
      {"EulerAncestralDiscreteScheduler", "euler_a"},
      {"DDIM CFG++", "ddim_cfg_pp"},
      {"DPM adaptive", "dpm_adaptive"}};
  for (const auto& [name, expected] : names) {
    const SamplerInfo* s = find_sampler(name);
    ASSERT_NE(s, nullptr) << name;
    EXPECT_EQ(s->name, expected) << name;
  }
  EXPECT_EQ(find_sampler("nonsense"), nullptr);
}

TEST(Registry, ScheduleAtTheEndOfAName) {
  const SamplerChoice karras = choose_sampler("DPM++ 2M Karras");
  EXPECT_EQ(karras.sampler->name, "dpmpp_2m");
  EXPECT_EQ(karras.schedule, "karras");
  const SamplerChoice sde = choose_sampler("DPM++ 2M SDE Exponential");
  EXPECT_EQ(sde.sampler->name, "dpmpp_2m_sde");
  EXPECT_EQ(sde.schedule, "exponential");
  EXPECT_TRUE(choose_sampler("Euler").schedule.empty());
  EXPECT_THROW(choose_sampler("DPM++ 9M Karras"), UsageError);
}

std::string complaint(std::string_view sampler, std::string_view schedule) {
  try {
    check_names(sampler, schedule);
  } catch (const UsageError& e) {
    return e.what();
  }
  return "";
}

TEST(Registry, UnknownNamesAreAnsweredWithThoseThatBeginAlike) {
  for (const char* sampler : {"", "Euler", "DPM++ 2M Karras", "PNDMScheduler"})
    EXPECT_EQ(complaint(sampler, ""), "") << sampler;
  for (const char* schedule : {"", "model", "Automatic", "sgm uniform"})
    EXPECT_EQ(complaint("", schedule), "") << schedule;
  EXPECT_EQ(complaint("DPM++ 2M Karas", ""),
            "sampler: \"DPM++ 2M Karas\" is not known; did you mean dpmpp_2m, dpmpp_2m_sde or "
            "dpmpp_2m_sde_heun? mezzo samplers lists all");
  EXPECT_EQ(complaint("unpic", ""),
            "sampler: \"unpic\" is not known; did you mean unipc? mezzo samplers lists all");
  EXPECT_EQ(
      complaint("", "autmatic"),
      "schedule: \"autmatic\" is not known; did you mean automatic? mezzo samplers lists all");
  EXPECT_EQ(complaint("zzz", ""), "sampler: \"zzz\" is not known; mezzo samplers lists all");
}

TEST(Registry, ClassesExist) {
  for (const SamplerInfo& s : samplers()) {
    if (!s.diffusers_class.empty()) {
      EXPECT_NE(find_scheduler_class(s.diffusers_class), nullptr) << s.diffusers_class;
    }
    if (!s.default_schedule.empty()) {
      EXPECT_NE(find_schedule(s.default_schedule), nullptr) << s.name;
    }
  }
}

}  // namespace
}  // namespace mezzo::sampling
