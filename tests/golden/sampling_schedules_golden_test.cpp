// Every table and schedule of goldens/sampling/schedules.json.
#include "golden/sampling_golden.h"
#include "sampling/diffusers_schedule.h"
#include "sampling/k_schedules.h"

namespace mezzo::sampling::golden {
namespace {

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
}  // namespace mezzo::sampling::golden
