// Quantiles of the beta distribution: noise schedules of "Beta Sampling is All You Need", Lee et
// al. 2024 (arXiv:2407.12173).
#pragma once

namespace mezzo::sampling {

/// x with P(X <= x) = p for X of Beta(a, b); p in [0, 1], a and b above 0. Good to 1e-12.
double beta_quantile(double p, double a, double b);

}  // namespace mezzo::sampling
