#include "sampling/guidance.h"

#include <cmath>

#include "base/error.h"

namespace mezzo::sampling {
namespace {

double standard_deviation(std::span<const double> v) {
  double mean = 0, square = 0;
  for (double x : v) mean += x / static_cast<double>(v.size());
  for (double x : v) square += (x - mean) * (x - mean);
  return std::sqrt(square / static_cast<double>(v.size() - 1));
}

}  // namespace

Latents guide(const Latents& unconditional, const Latents& conditional, double scale) {
  return (scale * conditional).add(1 - scale, unconditional);
}

Latents guide_away(Latents guided, const Latents& conditional, const Latents& weaker,
                   double scale) {
  return guided.add(scale, conditional).add(-scale, weaker);
}

Latents rescale_guidance(Latents guided, const Latents& conditional, double amount,
                         std::size_t images) {
  check(images > 0 && guided.size() % images == 0 && guided.size() == conditional.size(),
        "guidance rescale of unequal samples");
  const std::size_t n = guided.size() / images;
  for (std::size_t i = 0; i < images; ++i) {
    const auto sample = guided.values().subspan(i * n, n);
    const double wanted = standard_deviation(conditional.values().subspan(i * n, n));
    const double got = standard_deviation(sample);
    if (!(got > 0)) continue;
    for (double& v : sample) v *= amount * wanted / got + (1 - amount);
  }
  return guided;
}

}  // namespace mezzo::sampling
