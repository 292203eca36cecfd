// Element types of GGUF tensors and their numbers in the file.
#pragma once

#include <array>
#include <cstdint>

#include "tensor/dtype.h"

namespace mezzo {

struct GgmlType {
  std::uint32_t number;
  DType dtype;
};

inline constexpr std::array kGgmlTypes = {
    GgmlType{0, DType::kF32},   GgmlType{1, DType::kF16},   GgmlType{2, DType::kQ4_0},
    GgmlType{3, DType::kQ4_1},  GgmlType{6, DType::kQ5_0},  GgmlType{7, DType::kQ5_1},
    GgmlType{8, DType::kQ8_0},  GgmlType{10, DType::kQ2_K}, GgmlType{11, DType::kQ3_K},
    GgmlType{12, DType::kQ4_K}, GgmlType{13, DType::kQ5_K}, GgmlType{14, DType::kQ6_K},
    GgmlType{24, DType::kI8},   GgmlType{25, DType::kI16},  GgmlType{26, DType::kI32},
    GgmlType{27, DType::kI64},  GgmlType{28, DType::kF64},  GgmlType{30, DType::kBF16},
};

inline constexpr std::uint64_t kGgufAlignment = 32;  // unless the file says otherwise

}  // namespace mezzo
