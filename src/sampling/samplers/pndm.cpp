// PNDM: Liu et al. 2022 (arXiv:2202.09778): linear multistep over the network's outputs, after a
// warm-up of Runge-Kutta steps, or (as Stable Diffusion's PLMS does) of one step made twice.
#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// Adams-Bashforth over outputs at even distances, of the order that the history allows.
Latents extrapolate(const History& outputs) {
  switch (outputs.size()) {
    case 1:
      return outputs[0];
    case 2:
      return (1.5 * outputs[0]).add(-0.5, outputs[1]);
    case 3:
      return (23. / 12 * outputs[0]).add(-16. / 12, outputs[1]).add(5. / 12, outputs[2]);
    default:
      return (55. / 24 * outputs[0])
          .add(-59. / 24, outputs[1])
          .add(37. / 24, outputs[2])
          .add(-9. / 24, outputs[3]);
  }
}

/// The output to step with at call k of a Runge-Kutta step, four calls each.
class RungeKutta {
 public:
  Latents operator()(std::size_t call, const Latents& output) {
    switch (call % 4) {
      case 0:
        sum_ = 1. / 6 * output;
        return output;
      case 1:
      case 2:
        sum_.add(1. / 3, output);
        return output;
      default:
        return std::move(sum_).add(1. / 6, output);
    }
  }

 private:
  Latents sum_;
};

}  // namespace

Latents sample_pndm(const Denoiser& denoise, Latents x, const Schedule& s,
                    const SamplerOptions& o) {
  History outputs(4);
  RungeKutta runge_kutta;
  Latents base;  // the state that a step of several calls starts from
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Latents x0 = denoise(x, s.points[i]);
    Latents output = to_output(o.prediction, x0, x, s.points[i]);
    if (i < s.warm_up_calls) {
      if (i % 4 == 0) {
        outputs.push(output);
        base = x;
      }
      output = runge_kutta(i, output);
      x = base;
    } else if (i == 1 && s.warm_up_calls == 0) {
      // The first step once more, with the mean of the slopes at its ends.
      output = 0.5 * (std::move(output) + outputs[0]);
      x = base;
    } else {
      if (i == 0) base = x;
      outputs.push(std::move(output));
      output = extrapolate(outputs);
    }
    // v becomes noise at the level that the step starts from, after the extrapolation.
    const Point& from = s.source(i);
    const Latents epsilon = to_epsilon(to_x0(o.prediction, output, x, from), x, from);
    x = transfer_noise(x, epsilon, from, s.target(i));
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_plms(const Denoiser& denoise, Latents x, const Schedule& s,
                    const SamplerOptions& o) {
  if (s.steps() < 2) return sample_pndm(denoise, std::move(x), s, o);
  Schedule twice = s;
  twice.points.insert(twice.points.begin() + 1, s.points[1]);
  twice.sources.assign(twice.points.begin(), twice.points.end() - 1);
  twice.targets.assign(twice.points.begin() + 1, twice.points.end());
  twice.sources[1] = s.points[0];
  twice.targets[1] = s.points[1];
  return sample_pndm(denoise, std::move(x), twice, o);
}

}  // namespace mezzo::sampling
