// Evenly spaced values.
#pragma once

#include <cstddef>
#include <vector>

namespace mezzo::sampling {

/// n values from a to b, both included; a alone for n = 1.
std::vector<double> even(double a, double b, int n);

/// The same in single precision, bit for bit what torch.linspace gives: counted from the nearer
/// end.
std::vector<float> even_floats(float a, float b, std::size_t n);

}  // namespace mezzo::sampling
